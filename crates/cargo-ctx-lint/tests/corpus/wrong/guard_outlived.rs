//! What is derived from a guard ends with it.
use tokio_ctx::{CancelGuard, Context};

fn cloned(ctx: &Context) -> Context {
    let guard = ctx.with_cancel();
    guard.clone() //~ guard-dropped
}

fn derived(ctx: &Context) -> Result<Context, Error> {
    let guard: CancelGuard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    let deeper = child.with_value::<Id>(7);
    Ok(deeper) //~ guard-dropped
}

fn in_tuple(ctx: &Context, id: u64) -> (u64, Context) {
    let guard = ctx.with_cancel();
    (id, guard.with_name("half")) //~ guard-dropped
}

async fn in_block(ctx: &Context) {
    let inner = {
        let guard = ctx.with_cancel();
        guard.clone() //~ guard-dropped
    };
    work(&inner).await;
}

fn in_task(ctx: &Context) {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    tokio::spawn(async move { work(&child).await }); //~ guard-dropped
}

fn leaked(ctx: &Context) {
    let guard = ctx.with_cancel();
    std::mem::forget(guard); //~ guard-forgotten
}
