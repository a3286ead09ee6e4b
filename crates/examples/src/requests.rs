//! What each request of the service has: a [`Context`] from `tokio-ctx-tower`, a trace id, a
//! span for its log lines, and an answer even if its handler panics.
//!
//! The context, and how it ends, are the crate's: see [`ContextLayer`]. What is left to a
//! service are names of its own: of its headers, of its requests, and for the id of a request
//! that brought none.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::headers::HeaderKey;
use tokio_ctx::{Context, Reason};
use tracing::Instrument as _;

use crate::trace::{self, TraceId};

/// The header with the time that the client is ready to wait, in milliseconds.
pub const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-timeout-ms");

/// The longest deadline of a request, whatever its client asks for.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The trace id comes in `x-trace-id`: up to 64 letters, digits and `-_.`, so that it can
/// neither break a log line nor fill one.
impl HeaderKey for TraceId {
    const HEADER: HeaderName = HeaderName::from_static("x-trace-id");
    const MAX_BYTES: usize = 64;

    fn decode(text: &str) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
    }

    fn encode(id: &String) -> Option<String> {
        Some(id.clone())
    }
}

/// The layer that gives each request its context under `server`, as this service wants it.
///
/// Malformed headers are ignored and counted, never a reason to fail a request.
///
/// # Examples
///
/// ```
/// use examples::requests;
/// use tokio_ctx::Context;
///
/// let layer = requests::context_layer(&Context::background());
/// assert_eq!(layer.ignored_headers(), 0);
/// ```
pub fn context_layer(server: &Context) -> ContextLayer {
    ContextLayer::new(server)
        .key::<TraceId>()
        .timeout_header(TIMEOUT_HEADER)
        .max_timeout(LONGEST_TIMEOUT)
}

/// `router` under `layer`, each of its requests with a name, a trace id and a span; a handler
/// that panics is answered with 500.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use examples::{requests, trace::TraceId};
/// use tokio_ctx::Context;
///
/// let layer = requests::context_layer(&Context::background());
/// let handler = async |ctx: Context| ctx.value::<TraceId>().cloned().unwrap_or_default();
/// let router: Router = Router::new().route("/", get(handler));
/// let router = requests::with_requests(router, layer.clone());
/// assert!(router.has_routes());
/// assert_eq!(layer.live_requests(), 0);
/// ```
pub fn with_requests(router: Router, layer: ContextLayer) -> Router {
    let requests = Arc::new(AtomicU64::new(0));
    let observe = move |ctx: Context, request: Request, next: Next| {
        let number = 1 + requests.fetch_add(1, Ordering::Relaxed);
        observed(ctx, number, request, next)
    };
    router.layer(middleware::from_fn(observe)).layer(layer)
}

async fn observed(ctx: Context, number: u64, mut request: Request, next: Next) -> Response {
    let ctx = match ctx.value::<TraceId>() {
        Some(_) => ctx,
        None => ctx.with_value::<TraceId>(format!("request-{number}")),
    };
    let ctx = ctx.with_name(format!("{} {}", request.method(), request.uri().path()));
    let span = trace::span(&ctx);
    let of_request = span.clone();
    // Kept beyond this function: a client may also leave while the answer is being sent.
    ctx.on_cancel(move |cancelled| {
        if cancelled.reason() == Reason::CallerGone {
            of_request.in_scope(|| tracing::info!("the client is gone: its request is cancelled"));
        }
    })
    .disarm();
    request.extensions_mut().insert(ctx);

    // The server would survive a panic as well, but it closes the connection without a word.
    let answer = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span);
    let panicked = |_| problem(StatusCode::INTERNAL_SERVER_ERROR, "a task panicked");
    answer.await.unwrap_or_else(panicked)
}

/// An error as a response, in the shape that [`ContextError`](tokio_ctx::tower::ContextError)
/// has as one.
pub(crate) fn problem(status: StatusCode, title: &str) -> Response {
    let body = Json(json!({ "status": status.as_u16(), "title": title }));
    let mut response = (status, body).into_response();
    let problem = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert("content-type", problem);
    response
}
