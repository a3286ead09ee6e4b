//! A poller that ticks for ever.
use std::time::Duration;
use tokio_ctx::Context;

pub async fn poll(ctx: &Context, feed: Feed) {
    let mut ticks = tokio::time::interval(Duration::from_secs(30));
    loop {
        ticks.tick().await; //~ waits
        feed.refresh(ctx).await;
    }
}
