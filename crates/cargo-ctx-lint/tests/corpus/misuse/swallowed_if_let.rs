//! Spins at full speed once the context has ended.
use tokio_ctx::Context;

pub async fn consume(ctx: &Context, mut jobs: Jobs) {
    loop {
        if let Ok(Some(job)) = ctx.run(jobs.recv()).await { //~ swallowed
            job.run(ctx).await;
        }
    }
}
