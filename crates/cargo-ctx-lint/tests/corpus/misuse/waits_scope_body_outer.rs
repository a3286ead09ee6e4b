//! The body waits under the outer context, so the scope's own end does not reach it.
use tokio_ctx::{Context, scope};

pub async fn serve(ctx: &Context, listener: Listener) -> Result<(), Error> {
    scope(ctx, async |s| {
        while let Ok(socket) = ctx.run(listener.accept()).await { //~ waits
            s.spawn(async move |ctx| talk(&ctx, socket?).await);
        }
        Ok(())
    })
    .await
}
