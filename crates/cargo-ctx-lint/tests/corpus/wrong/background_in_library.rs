//! A library function that nobody can stop.
use tokio_ctx::Context;

pub async fn load(id: u64) -> Row {
    query(&Context::background(), id).await //~ background-outside-root
}

async fn query(ctx: &Context, id: u64) -> Row {
    ctx.run(fetch(id)).await.unwrap()
}
