//! The body of a scope waits under its scope, not under what is around it.
use tokio_ctx::{Context, ScopeOptions, scope};

async fn run(ctx: &Context, listener: Listener) -> Result<(), Error> {
    scope(ctx, async |s| {
        while let Ok(socket) = ctx.run(listener.accept()).await { //~ outer-context-in-body
            s.spawn(async move |ctx| talk(&ctx, socket?).await);
        }
        while !ctx.is_done() { //~ outer-context-in-body
            turn().await;
        }
        Ok(())
    })
    .await
}

async fn with_options(parent: &Context, mut frames: Frames) -> Result<(), Error> {
    ScopeOptions::new()
        .limit(8)
        .run(parent, async |s| {
            loop {
                tokio::select! {
                    _ = parent.done() => break, //~ outer-context-in-body
                    Some(frame) = frames.recv() => {
                        s.spawn(async move |ctx| frame.run(&ctx).await);
                    }
                }
            }
            Ok(())
        })
        .await
}
