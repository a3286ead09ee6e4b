//! A `select!` whose other branch leaves, or that times itself.
use tokio_ctx::Context;

async fn by_shutdown(ctx: &Context, mut jobs: Rx, mut stop: Rx) {
    loop {
        tokio::select! {
            _ = stop.recv() => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
}

async fn by_else(ctx: &Context, mut jobs: Rx, mut events: Rx) {
    loop {
        tokio::select! {
            Some(job) = jobs.recv() => job.run(ctx).await,
            Some(event) = events.recv() => event.run(ctx).await,
            else => break,
        }
    }
}

async fn by_asking(ctx: &Context, mut jobs: Rx, mut ticks: Interval) -> Result<(), Error> {
    loop {
        ctx.check()?;
        tokio::select! {
            Some(job) = jobs.recv() => job.run(ctx).await,
            _ = ticks.tick() => {}
        }
    }
}
