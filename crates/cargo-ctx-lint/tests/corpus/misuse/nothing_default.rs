//! A token made on the spot, which nobody can cancel.
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

pub async fn load(id: u64) -> Result<Row, Error> {
    let ctx = Context::from_token(&CancellationToken::new()); //~ nothing
    query(&ctx, id).await
}
