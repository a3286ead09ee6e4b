//! Contexts made inside the body are the body's own.
use tokio_ctx::{Context, scope};

async fn run(ctx: &Context, mut jobs: Rx) -> Result<(), Error> {
    scope(ctx, async |s| {
        let ctx = s.context().with_timeout(LIMIT);
        while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
            s.spawn(async move |ctx| job.run(&ctx).await);
        }
        Ok(())
    })
    .await
}

async fn nested(ctx: &Context, mut jobs: Rx) -> Result<(), Error> {
    scope(ctx, async |s| {
        s.spawn(async move |ctx| {
            while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
                job.run(&ctx).await?;
            }
            Ok(())
        });
        Ok(())
    })
    .await
}

async fn before(ctx: &Context, mut jobs: Rx) -> Result<(), Error> {
    while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
        scope(ctx, async |s| s.spawn(async move |ctx| job.run(&ctx).await).await).await?;
    }
    Ok(())
}
