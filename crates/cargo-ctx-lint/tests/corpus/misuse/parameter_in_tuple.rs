//! Packed with other things.
use tokio_ctx::Context;

pub async fn run((ctx, job): (Context, Job)) -> Result<(), Error> { //~ parameter
    job.run(&ctx).await
}
