//! A tower layer that gives each request its [`Context`], under the server's.
//!
//! The context ends with reason `CallerGone` when the client goes away, `RequestFinished` when
//! the response is there, at the deadline that the client set in `x-timeout-ms`, and with the
//! server. It carries the trace id of the header `x-trace-id`.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use pin_project_lite::pin_project;
use tokio_ctx::{CancelGuard, Context, Reason, owner};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use crate::trace::{self, TraceId};

/// The header with the time that the client is ready to wait, in milliseconds.
pub const TIMEOUT_HEADER: &str = "x-timeout-ms";

/// The header with the id that ties the log lines of one request together.
pub const TRACE_HEADER: &str = "x-trace-id";

/// The longest deadline that a client may ask for; a later one is brought forward to it.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives each request a context; handlers find it among the request's extensions.
///
/// A malformed header never fails a request: it is ignored, logged and counted.
///
/// # Examples
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use examples::request_context::RequestContextLayer;
/// use tokio_ctx::Context;
///
/// let server = Context::background().with_cancel();
/// let layer = RequestContextLayer::new(&server);
/// let app: Router = Router::new()
///     .route("/", get(|Extension(ctx): Extension<Context>| async move { format!("{ctx:?}") }))
///     .layer(layer.clone());
/// assert_eq!(layer.ignored_headers(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct RequestContextLayer {
    // ctx-lint: allow(context-in-struct) the server's, under which each request's is made
    server: Context,
    counters: Arc<Counters>,
}

/// The service that [`RequestContextLayer`] makes.
#[derive(Clone, Debug)]
pub struct RequestContextService<S> {
    layer: RequestContextLayer,
    inner: S,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    ignored_headers: AtomicU64,
}

pin_project! {
    /// The response future of [`RequestContextService`]; dropped early, it ends the request.
    #[must_use = "a request that is not polled is dropped, and so cancelled"]
    pub struct RequestFuture<F> {
        // Declared before `inner`, so dropped before it: whatever the handler waits for learns
        // that the client went away, before it sees its own future dropped.
        end: RequestEnd,
        #[pin]
        inner: F,
    }
}

/// Ends the context of a request when dropped, for the reason that then holds.
struct RequestEnd {
    guard: CancelGuard,
    reason: Reason,
    span: Span,
}

impl RequestContextLayer {
    /// Makes a layer whose contexts end with `server`, at the latest.
    #[must_use]
    pub fn new(server: &Context) -> RequestContextLayer {
        RequestContextLayer {
            server: server.clone(),
            counters: Arc::default(),
        }
    }

    /// How many malformed headers were ignored.
    #[must_use]
    pub fn ignored_headers(&self) -> u64 {
        self.counters.ignored_headers.load(Ordering::Relaxed)
    }

    fn context_of<B>(&self, request: &Request<B>) -> (CancelGuard, Span) {
        let number = 1 + self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let trace = header(request.headers(), TRACE_HEADER, trace_id);
        let timeout = header(request.headers(), TIMEOUT_HEADER, timeout);

        let id = trace
            .clone()
            .ok()
            .flatten()
            .unwrap_or_else(|| format!("request-{number}"));
        let name = format!("{} {}", request.method(), request.uri().path());
        let guard = self
            .server
            .with_value::<TraceId>(id)
            .with_name(name)
            .with_cancel();
        let guard = match timeout {
            Ok(Some(after)) => guard.map(|ctx| ctx.with_timeout(after)),
            _ => guard,
        };
        let span = trace::span(&guard);
        for malformed in [trace.err(), timeout.err()].into_iter().flatten() {
            self.counters
                .ignored_headers
                .fetch_add(1, Ordering::Relaxed);
            span.in_scope(|| tracing::warn!("ignored a malformed header {malformed}"));
        }
        (guard, span)
    }
}

impl<S> Layer<S> for RequestContextLayer {
    type Service = RequestContextService<S>;

    fn layer(&self, inner: S) -> RequestContextService<S> {
        RequestContextService {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for RequestContextService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> RequestFuture<S::Future> {
        let (guard, span) = self.layer.context_of(&request);
        request.extensions_mut().insert(Context::clone(&guard));
        let inner = span.in_scope(|| self.inner.call(request));
        RequestFuture {
            end: RequestEnd {
                guard,
                reason: Reason::CallerGone,
                span,
            },
            inner,
        }
    }
}

impl<F, T, E> Future for RequestFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T, E>> {
        let this = self.project();
        let _in_request = this.end.span.enter();
        let response = ready!(this.inner.poll(cx));
        // The answers of this service are whole, so the request is done with its head.
        this.end.reason = Reason::RequestFinished;
        Poll::Ready(response)
    }
}

impl Drop for RequestEnd {
    fn drop(&mut self) {
        let ended = owner::cancelled(self.reason, Location::caller(), None);
        let was_live = owner::cancel(&self.guard.handle(), ended);
        if was_live && self.reason == Reason::CallerGone {
            self.span
                .in_scope(|| tracing::info!("the client is gone: its request is cancelled"));
        }
    }
}

/// The parsed header, if it is there; its name, if it is malformed.
fn header<T>(
    headers: &HeaderMap,
    name: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, &'static str> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    value.to_str().ok().and_then(parse).map(Some).ok_or(name)
}

fn timeout(value: &str) -> Option<Duration> {
    value
        .parse()
        .ok()
        .map(Duration::from_millis)
        .map(|asked| asked.min(LONGEST_TIMEOUT))
}

fn trace_id(value: &str) -> Option<String> {
    let fits = (1..=64).contains(&value.len());
    let plain = value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (fits && plain).then(|| value.to_owned())
}
