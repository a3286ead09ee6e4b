//! A task that may fail forgets its `Ok`.

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Cancelled, Context};

async fn count(ctx: &Context) -> Result<(), Cancelled> {
    scope(ctx, async |s: Scope<Cancelled>| {
        s.spawn(async |_| 7).await?;
        Ok(())
    })
    .await
}

fn main() {
    drop(count(&Context::background()));
}
