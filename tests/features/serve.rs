//! features: tower
//! rustc says: `serve` needs the feature `axum` of tokio-ctx

use tokio_ctx::Context;
use tokio_ctx::tower::serve;

async fn run(ctx: &Context, listener: std::net::TcpListener) {
    serve(ctx, listener, |server| server.context().name().is_some()).await;
}
