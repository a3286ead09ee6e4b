//! The channel ends with the tasks of this function.
use tokio::sync::mpsc;
use tokio_ctx::{Context, scope};

async fn gather(ctx: &Context, ids: Vec<u64>) -> Result<Vec<Row>, Error> {
    scope(ctx, async |s| {
        let (tx, mut rx) = mpsc::channel(8);
        for id in ids {
            let tx = tx.clone();
            s.spawn(async move |ctx| Ok(tx.send(load(&ctx, id).await?).await?));
        }
        drop(tx);
        let mut rows = Vec::new();
        while let Some(row) = rx.recv().await {
            rows.push(row);
        }
        Ok(rows)
    })
    .await
}
