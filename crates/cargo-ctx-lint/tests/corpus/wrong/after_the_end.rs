//! Work under a context that has ended does not begin.
use tokio_ctx::Context;

async fn worker(ctx: &Context, mut queue: Queue) -> Result<(), Error> {
    let end = ctx.done().await;
    ctx.run(queue.flush()).await?; //~ ended-context-used
    store(ctx, &queue).await?; //~ ended-context-used
    let late = ctx.with_timeout(GRACE);
    queue.close(&late).await?; //~ ended-context-used
    Err(end.into())
}

async fn by_select(ctx: &Context, mut work: Work) {
    tokio::select! {
        _ = ctx.done() => {
            work.cleanup(ctx).await; //~ ended-context-used
        }
        () = &mut work => {}
    }
}

async fn by_loop(ctx: &Context, mut jobs: Jobs) {
    loop {
        tokio::select! {
            _ = ctx.done() => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
    jobs.flush(ctx).await; //~ ended-context-used
}
