//! The guard is dropped at the end of the function, the context goes on its way ended.
use tokio_ctx::Context;

pub fn child_of(ctx: &Context) -> Context {
    let guard = ctx.with_cancel();
    guard.clone() //~ guard
}
