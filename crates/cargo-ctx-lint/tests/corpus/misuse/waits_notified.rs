//! A condition that may never come.
use tokio_ctx::Context;

pub async fn drained(ctx: &Context, state: &State) {
    while state.len() > 0 {
        state.changed.notified().await; //~ waits
    }
    tracing::info!(left = ?ctx.remaining());
}
