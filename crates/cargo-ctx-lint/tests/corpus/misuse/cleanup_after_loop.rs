//! The same behind a loop that only the end leaves.
use tokio_ctx::Context;

pub async fn worker(ctx: &Context, mut jobs: Jobs) -> Result<(), Error> {
    loop {
        tokio::select! {
            _ = ctx.done() => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
    let ctx = ctx.with_timeout(GRACE);
    jobs.flush(&ctx).await //~ cleanup
}
