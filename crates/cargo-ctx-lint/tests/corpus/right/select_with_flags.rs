//! The way out is a token, a done future or a handle that was made before.
use tokio_ctx::Context;

pub async fn by_token(ctx: &Context, mut jobs: Jobs) {
    let stop = ctx.token();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
}

pub async fn by_pinned(ctx: &Context, mut jobs: Jobs) {
    let mut done = std::pin::pin!(ctx.done());
    loop {
        tokio::select! {
            _ = &mut done => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
}

pub async fn by_run(ctx: &Context, mut jobs: Jobs, mut events: Events) -> Result<(), Error> {
    loop {
        tokio::select! {
            job = ctx.run(jobs.recv()) => job?.run(ctx).await,
            event = ctx.run(events.recv()) => event?.apply(ctx).await,
        }
    }
}
