//! A task owns what it waits for: that is what `done_owned` is for.

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background().with_cancel();
    tokio::spawn(ctx.done());
}
