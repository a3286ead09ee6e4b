//! Joins what runs under the context: it ends when they do.
use futures::stream::FuturesUnordered;
use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_ctx::Context;

pub async fn join(ctx: &Context, ids: Vec<u64>) -> Result<(), Error> {
    let mut set = JoinSet::new();
    for id in ids {
        let ctx = ctx.clone();
        set.spawn(async move { load(&ctx, id).await });
    }
    while let Some(done) = set.join_next().await {
        done??;
    }
    Ok(())
}

pub async fn unordered(ctx: &Context, ids: Vec<u64>) -> Result<(), Error> {
    let mut loads: FuturesUnordered<_> = ids.into_iter().map(|id| load(ctx, id)).collect();
    while let Some(done) = loads.next().await {
        done?;
    }
    Ok(())
}
