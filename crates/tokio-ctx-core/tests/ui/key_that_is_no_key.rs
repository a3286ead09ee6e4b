//! Strings and numbers are no keys.

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background();
    let _ = ctx.value::<String>();
}
