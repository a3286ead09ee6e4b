//! A name that was a context and is one no more.
use tokio_ctx::Context;

async fn run(ctx: &Context) {
    let done = ctx.is_done();
    let ctx = 7;
    tokio::spawn(work());
    let mut ctx = String::new();
    for word in words {
        ctx = ctx.with_value(word);
    }
}
