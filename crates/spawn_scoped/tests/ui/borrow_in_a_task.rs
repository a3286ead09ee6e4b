//! A task runs in parallel to its scope, so it may not borrow from around it.

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

async fn lengths(ctx: &Context) -> Result<usize, Cancelled> {
    let text = String::from("mine");
    scope(ctx, async |s| {
        s.spawn(async |_| Ok::<_, Cancelled>(text.len())).await
    })
    .await
}

fn main() {
    drop(lengths(&Context::background()));
}
