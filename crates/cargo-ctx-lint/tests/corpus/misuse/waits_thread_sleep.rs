//! Sleeps through its own cancel, and blocks the runtime.
use std::time::Duration;
use tokio_ctx::Context;

pub async fn retry(ctx: &Context, request: Request) -> Result<Response, Error> {
    loop {
        match send(ctx, &request).await {
            Ok(response) => return Ok(response),
            Err(_) => std::thread::sleep(Duration::from_millis(200)), //~ waits
        }
    }
}
