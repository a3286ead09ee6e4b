//! Results that are used, logged or passed on.
use tokio_ctx::{Context, ScopeOptions, scope};

async fn run(ctx: &Context, items: Vec<Item>) -> Result<(), Error> {
    for item in &items {
        ctx.run(item.flush()).await?;
        if ctx.run(item.sync()).await.is_err() {
            break;
        }
    }
    let mut attempts = 0;
    loop {
        if let Ok(job) = ctx.run(next()).await {
            job.run(ctx).await;
        }
        attempts += 1;
        if attempts > 3 {
            break;
        }
    }
    if let Err(error) = scope(ctx, async |s| work(s).await).await {
        tracing::warn!(%error);
    }
    let outcome = ScopeOptions::new().run(ctx, async |s| work(s).await).await;
    outcome
}

async fn polls(ctx: &Context) {
    loop {
        let _ = ctx.run(refresh()).await;
        if ctx.is_done() {
            return;
        }
    }
}

async fn elsewhere(ctx: &Context, tx: Tx, mut rows: Vec<Row>) {
    while let Some(row) = rows.pop() {
        let _ = tx.send(row).await;
        tx.flush().await.ok();
    }
    log(ctx);
}
