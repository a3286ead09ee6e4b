//! One guard, one owner: what `clone` gives is a context, which cannot cancel.

use tokio_ctx_core::Context;

fn main() {
    let guard = Context::background().with_cancel();
    let copy = guard.clone();
    copy.cancel();
}
