//! First, and by name.
use tokio_ctx::Context;

async fn fetch(ctx: &Context, url: &str) {}
fn unused(_ctx: &Context) {}
fn ignored(_: Context) {}
fn of_server(server_ctx: &Context, name: &str) {}
fn both(ctx: &Context, other: &Context) {}
fn join(request: &Context, server: &Context) {}

impl Store {
    async fn get(&self, ctx: &Context, key: &str) {}
    fn with(self: Arc<Self>, ctx: Context) {}
}
