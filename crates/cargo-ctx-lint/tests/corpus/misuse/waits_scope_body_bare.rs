//! The body waits under nothing at all.
use tokio_ctx::{Context, scope};

pub async fn serve(ctx: &Context, mut jobs: Jobs) -> Result<(), Error> {
    scope(ctx, async |s| {
        while let Some(job) = jobs.recv().await { //~ waits
            s.spawn(async move |ctx| job.run(&ctx).await);
        }
        Ok(())
    })
    .await
}
