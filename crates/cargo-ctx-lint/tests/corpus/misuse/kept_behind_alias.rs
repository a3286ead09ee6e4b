//! The field does not say `Context`.
use std::sync::Arc;
use tokio_ctx::Context;

type Shared = Arc<Context>;

pub struct Repository {
    ctx: Shared, //~ kept
    pool: Pool,
}
