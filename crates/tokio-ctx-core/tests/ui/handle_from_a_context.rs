//! Nor can it make itself a handle that could.

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background().with_cancel().disarm();
    ctx.handle().cancel();
}
