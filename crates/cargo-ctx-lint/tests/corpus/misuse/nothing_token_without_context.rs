//! Out through the token, and in again without the cause.
use tokio_ctx::Context;

pub async fn relay(ctx: &Context, job: Job) -> Result<(), Error> {
    let inner = Context::from_token(&ctx.token()); //~ nothing
    job.run(&inner).await
}
