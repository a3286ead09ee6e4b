//! The names that stand for the old ones, and the same words of others.
use anyhow::Context as _;
use opentelemetry::context::FutureExt as _;
use tokio_ctx::{Context, Scope, TaskOptions};

async fn run(ctx: &Context, other: &Context, s: &Scope<Error>) -> anyhow::Result<()> {
    let kept = ctx.with_cancel().disarm();
    ctx.on_cancel(|_| tidy()).disarm();
    ctx.run(load(&kept)).await?.with_context(|| "loading")?;
    s.task().spawn_cancellable(load(&kept));
    let settings = s.task().name("flush");
    settings.spawn_local(async |ctx| load(&ctx).await);
    s.task().spawn_local(async |ctx| load(&ctx).await);
    s.task().background().spawn(async |ctx| load(&ctx).await);
    s.task().under(other).spawn(async |ctx| load(&ctx).await);
    s.slot().await?.spawn(async |ctx| load(&ctx).await);
    let pool = pool.keep();
    request.with_context(opentelemetry::Context::current()).await;
    handle.detach();
    Ok(())
}
