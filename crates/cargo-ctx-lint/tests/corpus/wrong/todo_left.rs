//! A placeholder that has been forgotten.
use tokio_ctx::Context;

pub async fn save(row: Row) {
    store::put(&Context::todo(), row).await; //~ todo-outside-root
}
