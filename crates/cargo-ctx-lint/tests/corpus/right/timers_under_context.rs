//! Every wait hears the context.
use tokio::time::sleep;
use tokio_ctx::Context;

async fn wait(ctx: &Context, scope: &spawn_scoped::Scope<Error>) {
    ctx.run(sleep(PAUSE)).await?;
    ctx.run(async {
        sleep(PAUSE).await;
        work().await
    })
    .await?;
    scope.task().spawn_cancellable(async move {
        sleep(PAUSE).await;
    });
    tokio::time::timeout(LIMIT, query(ctx)).await?;
}
