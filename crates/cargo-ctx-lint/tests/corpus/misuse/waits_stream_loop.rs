//! A stream from a broker seldom ends.
use futures::StreamExt;
use tokio_ctx::Context;

pub async fn follow(ctx: &Context, mut messages: Messages) -> Result<(), Error> {
    while let Some(message) = messages.next().await { //~ waits
        handle(ctx, message?).await?;
    }
    Ok(())
}
