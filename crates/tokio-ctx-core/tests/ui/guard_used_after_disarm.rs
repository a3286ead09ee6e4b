//! After `disarm` there is no guard left to cancel with.

use tokio_ctx_core::Context;

fn main() {
    let guard = Context::background().with_cancel();
    let _ctx = guard.disarm();
    guard.cancel();
}
