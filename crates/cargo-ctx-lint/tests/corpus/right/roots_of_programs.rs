//! Where work begins, in its several forms.
use tokio_ctx::{Context, scope};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let root = Context::background().with_cancel();
    let handle = root.handle();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        handle.cancel();
    });
    scope(&root, async |s| {
        s.spawn(async move |ctx| serve(&ctx).await);
        Ok(())
    })
    .await
}
