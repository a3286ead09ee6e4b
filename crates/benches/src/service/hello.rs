//! The services of row 18: the same handler, bare and with the layer, which gives each request a
//! context with a deadline and ends it with the response.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::response::Response;
use axum::routing::get;
use tokio_ctx::Context;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::axum::around;
use tower_service::Service;

/// The service without the layer.
pub(super) fn hello() -> Router {
    Router::new().route("/", get(async || "Hello, World!"))
}

/// As `docs/services.md` has it: `Router::layer` boxes each route anew, whatever the layer does.
pub(super) fn layered()
-> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    let layer = ContextLayer::new(&Context::background()).default_timeout(Duration::from_secs(30));
    around(&layer, hello())
}

/// So many requests to the service without a connection, and without the layer.
pub(crate) fn requests_without_layer(times: u32) {
    call(hello(), times);
}

/// So many requests to the service without a connection.
pub(crate) fn requests_with_layer(times: u32) {
    call(layered(), times);
}

fn call<S>(mut service: S, times: u32)
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let mut cx = TaskContext::from_waker(Waker::noop());
    for _ in 0..times {
        let mut request = Request::new(Body::empty());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
            panic!("a hello waits for nothing");
        };
        let mut body = response.into_body();
        while !body.is_end_stream() {
            let polled = Pin::new(&mut body).poll_frame(&mut cx);
            assert!(matches!(polled, Poll::Ready(Some(Ok(_)))));
        }
    }
}
