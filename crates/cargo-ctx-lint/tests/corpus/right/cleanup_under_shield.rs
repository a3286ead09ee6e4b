//! Clean-up after the end, under what has not ended.
use tokio_ctx::Context;

pub async fn worker(ctx: &Context, mut queue: Queue, db: Db) -> Result<(), Error> {
    let end = ctx.done().await;
    let shield = ctx.without_cancel().with_timeout(GRACE);
    queue.flush_to(&shield, &db).await?;
    tracing::info!(name = ctx.name(), %end, err = ?ctx.err());
    report(ctx.err());
    Err(end.into())
}

pub async fn by_select(ctx: &Context, mut http: Http) -> Result<(), Error> {
    tokio::select! {
        result = &mut http => return result,
        _ = ctx.done() => {}
    }
    let ctx = ctx.without_cancel();
    http.shut_down(&ctx).await
}
