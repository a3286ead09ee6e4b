//! Numbers for Prometheus: how many requests there were, how they ended, and how long they took.
//!
//! Run: `cargo run -p examples --example metrics`, and `curl localhost:3000/metrics`
//!
//! The end of each request is counted where it is known: a client that hung up and a deadline that
//! passed are reasons of their own, and not one more status.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_ctx::tower::{ContextError, ContextLayer, serve};
use tokio_ctx::{Context, Spawner};

/// Never ends by itself.
async fn late(ctx: Context) -> Result<(), ContextError> {
    Ok(ctx.run(std::future::pending()).await?)
}

pub(crate) fn service(server: &Spawner, metrics: PrometheusHandle) -> Router {
    let layer = ContextLayer::new(server.context())
        .default_timeout(Duration::from_millis(100))
        .on_end(|request| {
            // Of a path there are as many as clients think of.
            let route = request.route().unwrap_or("other").to_owned();
            let reason = format!("{:?}", request.reason());
            histogram!("request_seconds", "route" => route.clone()).record(request.age());
            counter!("requests_total", "route" => route, "reason" => reason).increment(1);
        });
    Router::new()
        .route("/hello/{name}", get(async || "hello"))
        .route("/late", get(late))
        .layer(layer)
        // Outside of the layer: a scrape is no request of a user.
        .route("/metrics", get(async move || metrics.render()))
}

/// The numbers of the whole process.
pub(crate) fn install() -> Result<PrometheusHandle, Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Ok(handle)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = install()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let ctx = Context::background();
    serve(&ctx, listener, |server| service(server, metrics)).await;
    Ok(())
}
