//! In tests the harness is in charge.
#[cfg(test)]
mod tests {
    use tokio_ctx::{Context, scope};

    #[tokio::test]
    async fn waits(ctx: Context) {
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        tokio::task::spawn_blocking(move || tx.blocking_send(1));
        while let Some(one) = rx.recv().await {
            drop(one);
        }
        let _ = scope(&ctx, async |_| Ok::<_, Error>(())).await;
        let _ctx = ctx.with_timeout(LIMIT);
        ctx.done().await;
        assert!(ctx.run(work()).await.is_err());
    }
}
