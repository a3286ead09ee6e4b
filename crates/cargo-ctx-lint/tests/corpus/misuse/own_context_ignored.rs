//! The task throws its own context away and works under the outer one.
use tokio_ctx::{Context, scope};

pub async fn both(ctx: &Context) -> Result<(), Error> {
    let outer = ctx.clone();
    scope(ctx, async |s| {
        s.spawn(async move |_| load(&outer).await); //~ own
        Ok(())
    })
    .await
}
