//! Behind a `select!` of which two branches go on, the context may have ended.
use tokio::time::{sleep, timeout};
use tokio_ctx::Context;

async fn stop(ctx: &Context, running: Running, requests: Requests) {
    tokio::select! {
        _ = ctx.done() => {}
        _ = running => {}
    }
    sleep(DRAIN).await;
    timeout(GRACE, requests.join()).await;
    report(ctx).await;
}
