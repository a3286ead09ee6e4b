//! Leaked on purpose, although there is a word for it.
use tokio_ctx::Context;

pub fn detached(ctx: &Context) -> Context {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    std::mem::forget(guard); //~ guard
    child
}
