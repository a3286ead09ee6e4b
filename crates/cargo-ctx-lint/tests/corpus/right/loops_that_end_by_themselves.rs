//! Loops over what ends by itself, and loops that the context ends.
use tokio::sync::mpsc;
use tokio_ctx::Context;

pub async fn copy(ctx: &Context, mut rows: mpsc::Receiver<Row>) -> Result<(), Error> {
    while let Ok(Some(row)) = ctx.run(rows.recv()).await {
        store(ctx, row).await?;
    }
    rows.close();
    while let Some(left) = rows.recv().await {
        give_back(left);
    }
    Ok(())
}

pub async fn ticks(ctx: &Context, mut interval: Interval) {
    while ctx.run(interval.tick()).await.is_ok() {
        refresh(ctx).await;
    }
}

pub async fn bounded(ctx: &Context, mut rows: Rows) -> Result<(), Error> {
    ctx.run(async {
        while let Some(row) = rows.next().await {
            store(ctx, row).await?;
        }
        Ok(())
    })
    .await?
}
