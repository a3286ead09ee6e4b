//! The same with a limit.
use tokio_ctx::Context;

pub fn limited(ctx: &Context) -> Result<Context, Error> {
    let guard = ctx.with_cancel();
    let limited = guard.with_timeout(LIMIT);
    register(&limited)?;
    Ok(limited) //~ guard
}
