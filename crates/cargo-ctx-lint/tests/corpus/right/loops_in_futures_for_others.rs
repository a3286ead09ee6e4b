//! Who runs these futures, and under what, is not known here.
use futures::future::BoxFuture;
use tokio_ctx::Context;

fn boxed(ctx: &Context, mut rx: Rx) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        while let Some(next) = rx.recv().await {
            next.run(ctx).await;
        }
    })
}

async fn kept(ctx: &Context, mut rx: Rx) -> Result<(), Error> {
    let pump = async {
        while let Some(next) = rx.recv().await {
            store(next).await;
        }
    };
    ctx.run(pump).await?;
    let late = async {
        tokio::time::sleep(PAUSE).await;
        give_up();
    };
    ctx.run(late).await?;
    Ok(())
}

async fn in_closure(ctx: &Context, rows: Rows) {
    rows.for_each(|mut row| async move { while row.next().await.is_some() {} }).await;
    log(ctx);
}
