//! Observing and cancelling are different types: a callee cannot end its caller.

use tokio_ctx_core::Context;

fn callee(ctx: &Context) {
    ctx.cancel();
}

fn main() {
    callee(&Context::background().with_cancel());
}
