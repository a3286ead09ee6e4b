//! Tasks of a scope use the context they are handed.
use spawn_scoped::scope;
use tokio_ctx::Context;

async fn total(ctx: &Context) -> Result<u64, Error> {
    scope(ctx, async |s| {
        let users = s.spawn(async move |ctx| count(&ctx).await);
        let other = s.clone();
        other.spawn(async move |ctx| {
            ctx.run(tokio::time::sleep(PAUSE)).await?;
            Ok(())
        });
        Ok(users.await?)
    })
    .await
}
