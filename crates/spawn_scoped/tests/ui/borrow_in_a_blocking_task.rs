//! Neither may a closure on a blocking thread.

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

async fn lengths(ctx: &Context) -> Result<usize, Cancelled> {
    let text = String::from("mine");
    scope(ctx, async |s| s.spawn_blocking(|_| Ok::<_, Cancelled>(text.len())).await).await
}

fn main() {
    drop(lengths(&Context::background()));
}
