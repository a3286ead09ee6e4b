//! A context that was moved into one task is used again; a task has one of its own.

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

async fn twice(ctx: &Context) -> Result<(), Cancelled> {
    let limited = ctx.with_timeout(std::time::Duration::from_secs(1));
    scope(ctx, async |s| {
        let limited = limited;
        s.spawn(async move |_| limited.check());
        s.spawn(async move |_| limited.check());
        Ok(())
    })
    .await
}

fn main() {
    drop(twice(&Context::background()));
}
