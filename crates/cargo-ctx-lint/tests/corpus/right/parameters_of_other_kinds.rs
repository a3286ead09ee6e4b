//! Guards by value, handles, and options of other things.
use std::sync::Arc;
use tokio_ctx::{CancelGuard, CancelHandle, Cancelled, Context};

pub fn hold(guard: CancelGuard) -> Held {}
pub fn stop(handle: &CancelHandle) {}
pub fn answer(ended: Option<&Cancelled>) -> Status {}
pub fn callbacks(ctx: &Context, hook: Arc<dyn Fn(&Context) + Send + Sync>) {}
pub fn nested(ctx: &Context, make: impl Fn(Option<&Context>) -> u32) {}
fn admitted((ticket, ctx): (Ticket, Context)) {}
pub fn poll(cx: Option<&mut std::task::Context<'_>>) {}
pub fn returned(ctx: &Context) -> Option<Context> {}

impl From<Context> for Wrapped {
    fn from(ctx: Context) -> Wrapped {}
}
