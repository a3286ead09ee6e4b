//! A task returns an error of another type than its scope's.

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Cancelled, Context};

async fn read() -> Result<u32, std::io::Error> {
    Ok(1)
}

async fn sum(ctx: &Context) -> Result<u32, Cancelled> {
    scope(ctx, async |s: Scope<Cancelled>| {
        let task = s.spawn(async |_| read().await);
        Ok(task.await?)
    })
    .await
}

fn main() {
    drop(sum(&Context::background()));
}
