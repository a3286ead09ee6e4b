//! A process-wide context that every request ends up under.
use std::sync::OnceLock;
use tokio_ctx::Context;

static CURRENT: OnceLock<Context> = OnceLock::new(); //~ kept

pub fn enter(ctx: &Context) {
    let _ = CURRENT.set(ctx.clone());
}
