//! Guards and registrations that are gone at once.
use tokio_ctx::Context;

fn start(ctx: &Context) {
    let _ = ctx.with_cancel(); //~ guard-dropped
    ctx.with_cancel(); //~ guard-dropped
    _ = ctx.with_cancel(); //~ guard-dropped
    let _ = ctx.with_timeout(LIMIT).with_cancel(); //~ guard-dropped
    let _ = ctx.on_cancel(|_| cleanup()); //~ guard-dropped
    ctx.on_cancel(|_| cleanup()); //~ guard-dropped
    let _ = ctx.with_cancel().map(|ctx| ctx.with_name("child")); //~ guard-dropped
}
