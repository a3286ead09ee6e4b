//! Guards that go where the contexts go.
use tokio_ctx::{CancelGuard, Context};

fn kept(ctx: &Context, sessions: &mut Sessions) -> Context {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    sessions.insert(guard);
    child
}

fn in_task(ctx: &Context) {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    tokio::spawn(async move {
        work(&child).await;
        drop(guard);
    });
}

async fn waits(ctx: &Context) -> Result<(), Error> {
    let guard = ctx.with_cancel();
    let child = guard.clone();
    tokio::spawn(async move { work(&child).await });
    other(ctx).await?;
    Ok(())
}

fn plain(ctx: &Context) -> Context {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    observe(&child);
    ctx.clone()
}

fn id(ctx: &Context) -> Option<u64> {
    let guard = ctx.with_cancel();
    let child = guard.with_value::<Id>(7);
    child.value::<Id>().copied()
}

fn built(ctx: &Context) -> CancelGuard {
    let guard = ctx.with_cancel();
    guard.map(|ctx| ctx.with_timeout(LIMIT))
}
