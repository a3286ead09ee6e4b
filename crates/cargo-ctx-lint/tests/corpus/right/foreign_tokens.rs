//! Contexts under tokens that somebody else ends.
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

pub async fn adapter(token: CancellationToken, job: Job) -> Result<(), Error> {
    let ctx = Context::from_token(&token);
    job.run(&ctx).await
}

pub async fn joined(ctx: &Context, connection: &Connection) -> Result<(), Error> {
    let ctx = ctx.merge(&Context::from_token(connection.token()));
    serve(&ctx).await
}

pub fn kept(plugin: &Plugin) -> CancellationToken {
    let token = CancellationToken::new();
    plugin.run(Context::from_token(&token));
    token
}
