//! The sleep is kept for a line before it is awaited.
use tokio::time::{Duration, sleep};
use tokio_ctx::Context;

pub async fn backoff(ctx: &Context, attempt: u32) -> Result<(), Error> {
    let pause = sleep(Duration::from_millis(50 << attempt));
    ctx.check()?;
    pause.await; //~ waits
    Ok(())
}
