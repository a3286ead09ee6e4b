//! A watch channel that may never change again.
use tokio::sync::watch;
use tokio_ctx::Context;

pub async fn reload(ctx: &Context, mut config: watch::Receiver<Config>) {
    while config.changed().await.is_ok() { //~ waits
        let now = config.borrow_and_update().clone();
        apply(ctx, now).await;
    }
}
