//! A context at hand, and a new one made.
use tokio_ctx::Context;

pub async fn charge(ctx: &Context, total: u64) {
    bank::pay(&Context::background(), total).await; //~ context-not-passed
    let child = ctx.with_timeout(LIMIT);
    audit(&Context::todo(), &child).await; //~ context-not-passed
}
