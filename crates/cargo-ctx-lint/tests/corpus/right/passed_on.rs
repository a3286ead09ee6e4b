//! Passed on, derived, detached.
use tokio_ctx::Context;

async fn handle(ctx: &Context, server: &Context, order: Order) {
    charge(ctx, &order).await;
    let short = ctx.with_timeout(LIMIT);
    reserve(&short, &order).await;
    let detached = ctx.detach_onto(server);
    tokio::spawn(async move { mail(&detached, order).await });
}
