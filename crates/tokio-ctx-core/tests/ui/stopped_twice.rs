//! A registration is stopped once.

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background().with_cancel();
    let registration = ctx.on_cancel(|_| ());
    registration.stop();
    registration.stop();
}
