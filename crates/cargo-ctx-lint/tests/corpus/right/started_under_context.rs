//! Threads, sets and trackers whose work knows the context.
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_ctx::Context;

pub async fn all(ctx: &Context, ids: Vec<u64>) -> Result<(), Error> {
    let mut set = JoinSet::new();
    for id in ids {
        let ctx = ctx.clone();
        set.spawn(async move { load(&ctx, id).await });
    }
    let for_thread = ctx.clone();
    std::thread::spawn(move || while for_thread.check().is_ok() { step() });
    let token = ctx.token();
    Handle::current().spawn(async move { token.run_until_cancelled(tidy()).await });
    let work = digest(ctx.clone());
    tokio::task::spawn_blocking(move || work.finish());
    while let Some(row) = ctx.run(set.join_next()).await? {
        row??;
    }
    Ok(())
}
