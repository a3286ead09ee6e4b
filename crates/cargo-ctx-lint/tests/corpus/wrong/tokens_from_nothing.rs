//! Tokens that nobody else holds, and tokens of a context.
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

async fn load(id: u64) {
    let ctx = Context::from_token(&CancellationToken::new()); //~ background-outside-root
    query(&ctx, id).await;
}

async fn relay(ctx: &Context, job: Job) {
    let fresh = Context::from_token(&CancellationToken::default()); //~ context-not-passed
    let again = Context::from_token(&ctx.token()); //~ context-not-passed
    job.run(&fresh, &again).await;
}
