//! Work begins in main.
use tokio_ctx::Context;

#[tokio::main]
async fn main() {
    let ctx = Context::background();
    let guard = ctx.with_cancel();
    serve(&guard).await;
    let spare = || Context::todo();
}
