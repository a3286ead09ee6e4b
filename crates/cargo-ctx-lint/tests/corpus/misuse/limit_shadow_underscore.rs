//! Named away.
use tokio_ctx::Context;

pub async fn ask(ctx: &Context, question: &str) -> Result<Answer, Error> {
    let _ctx = ctx.with_timeout(LIMIT); //~ limit
    ctx.run(model(question)).await?
}
