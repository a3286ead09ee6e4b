//! Code inside macro calls is code.
use tokio_ctx::Context;

pub async fn both() {
    let _pair = tokio::join!(one(&Context::background()), two(&Context::todo())); //~ background-outside-root todo-outside-root
    assert!(one(&Context::background()).await.is_ok()); //~ background-outside-root
}
