//! A callback may run when the stack that registered it is gone.

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background().with_cancel();
    let mut ended = false;
    ctx.on_cancel(|_| ended = true).disarm();
    assert!(ended);
}
