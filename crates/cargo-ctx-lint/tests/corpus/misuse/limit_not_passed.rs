//! The limit is made, and the unlimited one goes on.
use tokio_ctx::Context;

pub async fn search(ctx: &Context, text: &str) -> Result<Hits, Error> {
    let limited = ctx.with_timeout(LIMIT); //~ limit
    let hits = index(ctx, text).await?;
    rank(ctx, hits).await
}
