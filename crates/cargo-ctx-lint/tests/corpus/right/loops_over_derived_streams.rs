//! The stream was made with the context, or ends with it.
use futures::StreamExt;
use tokio_ctx::Context;

pub async fn follow(ctx: &Context, topic: &Topic) -> Result<(), Error> {
    let mut messages = topic.subscribe(ctx);
    while let Some(message) = messages.next().await {
        handle(ctx, message?).await?;
    }
    let mut rest = topic.all().take_until(ctx.done_owned());
    while let Some(message) = rest.next().await {
        handle(ctx, message?).await?;
    }
    Ok(())
}
