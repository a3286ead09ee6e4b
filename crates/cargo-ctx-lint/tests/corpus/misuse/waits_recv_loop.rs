//! Ends when the senders do, which may be never.
use tokio::sync::mpsc;
use tokio_ctx::Context;

pub async fn consume(ctx: &Context, mut jobs: mpsc::Receiver<Job>) -> Result<(), Error> {
    while let Some(job) = jobs.recv().await { //~ waits
        job.run(ctx).await?;
    }
    Ok(())
}
