//! A callee that swaps its caller's context.
use tokio_ctx::Context;

pub fn restrict(ctx: &mut Context, limit: Duration) { //~ parameter
    *ctx = ctx.with_timeout(limit);
}
