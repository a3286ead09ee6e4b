//! A handle that was passed in beside the context.
use tokio::runtime::Handle;
use tokio_ctx::Context;

pub fn refresh(ctx: &Context, rt: &Handle, keys: Vec<String>) {
    for key in keys {
        rt.spawn(fetch(key)); //~ started
    }
    tracing::debug!(deadline = ?ctx.deadline());
}
