//! A scope hands its tasks a context of their own.
use spawn_scoped::scope;
use tokio_ctx::Context;

pub async fn run() {
    let ctx = Context::background(); //~ background-outside-root
    scope(&ctx, async |s| {
        s.spawn(async move |ctx| work(&Context::background()).await); //~ context-not-passed
        Ok(())
    })
    .await;
}
