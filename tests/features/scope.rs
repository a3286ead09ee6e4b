//! features: 
//! rustc says: the item is gated behind the `scope` feature

use tokio_ctx::{Context, scope};

async fn work(ctx: &Context) {
    scope(ctx, async |_| Ok::<_, tokio_ctx::Cancelled>(())).await.unwrap();
}
