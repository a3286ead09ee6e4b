//! Waiting that does not hear the context.
use std::time::Duration;
use tokio::time::{self, sleep};
use tokio_ctx::Context;

async fn retry(ctx: &Context) {
    loop {
        if attempt(ctx).await { return; }
        sleep(Duration::from_secs(1)).await; //~ bare-timer
        tokio::time::sleep(Duration::from_secs(1)).await; //~ bare-timer
        time::sleep_until(soon()).await; //~ bare-timer
        let row = time::timeout(LIMIT, query()).await; //~ bare-timer
        let row = tokio::time::timeout_at(soon(), query()).await?; //~ bare-timer
    }
}
