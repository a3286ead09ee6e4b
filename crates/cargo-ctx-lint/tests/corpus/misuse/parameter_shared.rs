//! An `Arc` around what is already one.
use std::sync::Arc;
use tokio_ctx::Context;

pub async fn fetch(ctx: Arc<Context>, url: Url) -> Result<Page, Error> { //~ parameter
    ctx.run(download(url)).await?
}
