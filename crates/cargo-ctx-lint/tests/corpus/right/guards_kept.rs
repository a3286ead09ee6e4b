//! Guards that live as long as their work.
use tokio_ctx::{CancelGuard, Context};

async fn work(ctx: &Context) -> CancelGuard {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    query(&child).await;
    let _guard = ctx.with_cancel();
    let mapped = ctx.with_cancel().map(|ctx| ctx.with_timeout(LIMIT));
    let kept = ctx.with_cancel().disarm();
    let kept = ctx.with_cancel().disarm().with_timeout(LIMIT);
    drop(ctx.with_cancel());
    let row = ctx.with_cancel().with_timeout(LIMIT).run(query()).await;
    ctx.with_cancel().run(query()).await;
    let registration = ctx.on_cancel(|_| cleanup());
    ctx.on_cancel(|_| cleanup()).disarm();
    let _ = ctx.with_timeout(LIMIT);
    start(&ctx.with_cancel().with_name("for this call")).await;
    ctx.with_cancel()
}
