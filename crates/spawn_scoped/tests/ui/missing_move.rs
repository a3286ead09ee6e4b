//! A task borrows a local of the body: it lacks a `move`.

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

async fn greet(ctx: &Context) -> Result<usize, Cancelled> {
    scope(ctx, async |s| {
        let name = String::from("world");
        let task = s.spawn(async |_| Ok::<_, Cancelled>(name.len()));
        task.await
    })
    .await
}

fn main() {
    drop(greet(&Context::background()));
}
