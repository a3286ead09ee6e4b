//! Every wait hears the context.
use tokio::time::sleep;
use tokio_ctx::{Context, ContextExt};

async fn wait(ctx: &Context, scope: &spawn_scoped::Scope<Error>) {
    ctx.run(sleep(PAUSE)).await?;
    ctx.run(async {
        sleep(PAUSE).await;
        work().await
    })
    .await?;
    sleep(PAUSE).with_context(ctx).await?;
    async { sleep(PAUSE).await }.with_context(ctx).await?;
    scope.spawn_cancellable(async move {
        sleep(PAUSE).await;
    });
    tokio::time::timeout(LIMIT, query(ctx)).await?;
}
