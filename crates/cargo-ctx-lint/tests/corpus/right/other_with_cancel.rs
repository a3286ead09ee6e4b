//! Another library's method of that name, in a file that does not use ours.
use golike::Ctx;

fn start(ctx: &Ctx) {
    let _ = ctx.with_cancel();
    ctx.with_cancel();
}
