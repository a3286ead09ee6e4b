//! Hidden in a function, kept for ever all the same.
use std::sync::OnceLock;
use tokio_ctx::Context;

pub fn shared(ctx: &Context) -> &'static Context {
    static FIRST: OnceLock<Context> = OnceLock::new(); //~ kept
    FIRST.get_or_init(|| ctx.clone())
}
