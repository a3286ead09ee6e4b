//! The body asks the outer context whether to go on.
use tokio_ctx::{Context, scope};

pub async fn run(ctx: &Context, mut frames: Frames) -> Result<(), Error> {
    scope(ctx, async move |s| {
        loop {
            tokio::select! {
                _ = ctx.done() => break, //~ waits
                Some(frame) = frames.recv() => {
                    s.spawn(async move |ctx| frame.decode(&ctx).await);
                }
            }
        }
        Ok(())
    })
    .await
}
