//! What an ended context is still good for.
use tokio_ctx::Context;

async fn worker(ctx: &Context, mut queue: Queue) -> Result<(), Error> {
    let end = ctx.done().await;
    tracing::info!(%end, name = ctx.name(), user = ctx.value::<User>());
    report(ctx.err(), ctx.name()).await;
    queue.flush(&ctx.without_cancel()).await?;
    let shield = ctx.detach_onto(&server());
    queue.close(&shield).await?;
    Err(end.into())
}

async fn maybe(ctx: &Context, mut jobs: Rx) -> Result<(), Error> {
    while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
        job.run(ctx).await?;
    }
    jobs.flush(ctx).await?;
    loop {
        tokio::select! {
            _ = ctx.done() => break,
            job = jobs.recv() => match job {
                Some(job) => job.run(ctx).await?,
                None => break,
            },
        }
    }
    jobs.close(ctx).await
}

async fn two(ctx: &Context, other: &Context) {
    other.done().await;
    notify(ctx).await;
}
