//! A task that spawns siblings takes a clone of the scope, not the body's reference.

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Cancelled, Context};

async fn siblings(ctx: &Context) -> Result<(), Cancelled> {
    scope(ctx, async |s: Scope<Cancelled>| {
        s.spawn(async move |_| s.spawn(async |_| Ok(())).await).await
    })
    .await
}

fn main() {
    drop(siblings(&Context::background()));
}
