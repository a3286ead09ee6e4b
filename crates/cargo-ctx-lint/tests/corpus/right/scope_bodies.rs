//! Bodies that wait under their scope, and one that uses the outer context for its calls.
use tokio_ctx::{Context, scope};

pub async fn serve(ctx: &Context, listener: Listener) -> Result<(), Error> {
    scope(ctx, async |s| {
        while let Ok(socket) = s.run(listener.accept()).await {
            s.spawn(async move |ctx| talk(&ctx, socket?).await);
        }
        Ok(())
    })
    .await
}

pub async fn own(ctx: &Context, mut jobs: Jobs) -> Result<(), Error> {
    scope(ctx, async |s| {
        let ctx = s.context().clone();
        while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
            s.spawn(async move |ctx| job.run(&ctx).await);
        }
        Ok(())
    })
    .await
}

pub async fn once(ctx: &Context) -> Result<u64, Error> {
    let deadline = ctx.deadline();
    scope(ctx, async |s| {
        let row = s.spawn(async move |ctx| load(&ctx, deadline).await);
        tracing::debug!(left = ?ctx.remaining());
        row.await
    })
    .await
}
