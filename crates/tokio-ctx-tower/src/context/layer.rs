//! The layer for servers: [`ContextLayer`].

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio_ctx_core::{CancelGuard, Context};
use tower_layer::Layer;

use crate::context::config::{Config, Form, Limit};
use crate::context::service::ContextService;
use crate::context::summary::RequestSummary;
use crate::error::DeadlineSource;
use crate::headers::{Carrier, HeaderKey};

/// Gives each request a [`Context`] under the server's, among the request's extensions.
///
/// The context ends
///
/// - with the server's;
/// - at the deadline of the header `grpc-timeout`, or of one that
///   [`timeout_header`](Self::timeout_header) names, or at the
///   [default](Self::default_timeout), and at the [maximum](Self::max_timeout) in any case;
/// - with [`CallerGone`](tokio_ctx_core::Reason::CallerGone) when the response, or its body, is
///   dropped unfinished, which is what servers do when the client closes the connection or
///   resets its stream;
/// - with [`RequestFinished`](tokio_ctx_core::Reason::RequestFinished) when the response is done,
///   body included.
///
/// It carries the [keys](Self::key) that are listed, and no others.
///
/// No header can fail a request: what is malformed, too long or repeated is ignored, and
/// counted in [`ignored_headers`](Self::ignored_headers). No header's value is ever printed.
///
/// A body that has no known length, a stream of events for one, ends with the context: quietly
/// if it is `text/event-stream`, with the gRPC status of the end if it is gRPC, with an error
/// that the client can see otherwise. Bodies of known length are left to finish.
///
/// Handlers in a router of axum or tonic find the context by the extractors of the features
/// `axum` and `tonic`; any other service as `request.extensions().get::<Context>()`. A layer
/// inside another derives from the outer one's context. The cheapest place for it is around
/// the whole router, `layer.layer(router)`: a router boxes what is layered on its routes.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::BodyExt as _;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextLayer;
/// use tower::{ServiceExt, service_fn};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let server = Context::background().with_cancel();
/// let layer = ContextLayer::new(&server)
///     .default_timeout(Duration::from_secs(5))
///     .max_timeout(Duration::from_secs(30));
///
/// let service = layer.layer(service_fn(async |request: Request<String>| {
///     let ctx = request.extensions().get::<Context>().unwrap();
///     Ok::<_, Infallible>(Response::new(format!("{:?}", ctx.remaining().unwrap())))
/// }));
///
/// let request = Request::builder().header("grpc-timeout", "250m").body(String::new()).unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// let body = response.into_body().collect().await.unwrap();
/// assert_eq!(body.to_bytes(), "250ms");
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until a service is wrapped in it"]
pub struct ContextLayer {
    config: Arc<Config>,
}

impl ContextLayer {
    /// A layer whose contexts end with `server`, at the latest.
    ///
    /// With the context of a scope for `server`, that scope waits for the work of requests
    /// whose handlers were dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let server = Context::background().with_cancel();
    /// let layer = ContextLayer::new(&server);
    /// server.cancel();
    /// let ctx = context_of(&layer, Request::new(())).await;
    /// assert_eq!(ctx.err().unwrap().reason(), Reason::Cancelled);
    /// # }
    /// ```
    #[track_caller]
    pub fn new(server: &Context) -> ContextLayer {
        ContextLayer {
            config: Arc::new(Config::new(server, Location::caller())),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> ContextLayer {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// Reads the value of `K` from its header.
    ///
    /// Only what is listed here is read. Think of who can reach the server before listing a
    /// key that decides something: see [`HeaderKey`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::headers::{Baggage, TraceContext};
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background()).key::<Baggage>();
    /// let request = Request::builder()
    ///     .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    ///     .header("baggage", "plan=gold");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// assert_eq!(ctx.value::<Baggage>().unwrap().get("plan"), Some("gold"));
    /// assert!(ctx.value::<TraceContext>().is_none(), "it is not listed");
    /// # }
    /// ```
    pub fn key<K: HeaderKey>(self) -> ContextLayer {
        self.with(|config| config.keys.add::<K>())
    }

    /// Reads the [`TraceContext`](crate::headers::TraceContext), from `traceparent` with its `tracestate`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::headers::TraceContext;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background()).trace_context();
    /// let request = Request::builder()
    ///     .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    ///     .header("tracestate", "congo=t61rcWkgMzE");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// let trace = ctx.value::<TraceContext>().unwrap();
    /// assert!(trace.is_sampled());
    /// assert_eq!(trace.state(), "congo=t61rcWkgMzE");
    /// # }
    /// ```
    pub fn trace_context(self) -> ContextLayer {
        self.with(|config| config.keys.add_trace())
    }

    /// Reads a deadline from that header too: digits and a unit (`ns`, `us`, `ms`, `s`, `m`,
    /// `h`), or milliseconds if there is no unit.
    ///
    /// Of several headers with a deadline, `grpc-timeout` among them, the shortest holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::HeaderName;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background())
    ///     .timeout_header(HeaderName::from_static("x-timeout"));
    /// let request = Request::builder().header("x-timeout", "1500").header("grpc-timeout", "2S");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// assert_eq!(ctx.remaining(), Some(Duration::from_millis(1500)));
    /// # }
    /// ```
    pub fn timeout_header(self, name: HeaderName) -> ContextLayer {
        self.with(|config| config.read_from(name, Form::Left))
    }

    /// Reads a deadline from that header too, as a time of RFC 3339 in UTC.
    ///
    /// It is for what waits on the way, a message or a job: a time that is left would not count
    /// that. It is as right as the clocks of the two machines agree. CloudEvents has the name
    /// `ce-expirytime` for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::HeaderName;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background())
    ///     .deadline_header(HeaderName::from_static("ce-expirytime"));
    /// let request = Request::builder().header("ce-expirytime", "2020-02-20T20:20:20Z");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// assert!(ctx.err().unwrap().is_timeout(), "that is long ago");
    /// # }
    /// ```
    pub fn deadline_header(self, name: HeaderName) -> ContextLayer {
        self.with(|config| config.read_from(name, Form::Time))
    }

    /// Does not read `grpc-timeout`, which is read unless this is called.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background()).without_grpc_timeout();
    /// let request = Request::builder().header("grpc-timeout", "2S");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// assert_eq!(ctx.remaining(), None);
    /// # }
    /// ```
    pub fn without_grpc_timeout(self) -> ContextLayer {
        self.with(|config| config.read_none(Form::Grpc))
    }

    /// The deadline of requests that bring none that can be read.
    ///
    /// It is the longest deadline too, unless a larger [maximum](Self::max_timeout) is set: a
    /// client can only shorten.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let server = Context::background();
    /// let layer = ContextLayer::new(&server).default_timeout(Duration::from_secs(5));
    /// let ctx = context_of(&layer, Request::new(())).await;
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(5)));
    ///
    /// for (asked, left) in [("3S", 3), ("9S", 5)] {
    ///     let request = Request::builder().header("grpc-timeout", asked);
    ///     let ctx = context_of(&layer, request.body(()).unwrap()).await;
    ///     assert_eq!(ctx.remaining(), Some(Duration::from_secs(left)));
    /// }
    /// # }
    /// ```
    pub fn default_timeout(self, timeout: Duration) -> ContextLayer {
        self.with(|config| config.default = Some(Limit::new(timeout, DeadlineSource::Default)))
    }

    /// The longest deadline of any request: a longer one is brought forward to it, and a
    /// request without any gets it.
    ///
    /// With neither a maximum nor a default a client decides for how long the server works for
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn context_of(layer: &ContextLayer, request: Request<()>) -> Context {
    /// #     let refuse = service_fn(async |request: Request<()>| {
    /// #         Err::<Response<String>, _>(request.extensions().get::<Context>().unwrap().clone())
    /// #     });
    /// #     layer.layer(refuse).oneshot(request).await.unwrap_err()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ContextLayer::new(&Context::background()).max_timeout(Duration::from_secs(30));
    /// let request = Request::builder().header("grpc-timeout", "1H");
    /// let ctx = context_of(&layer, request.body(()).unwrap()).await;
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(30)));
    /// # }
    /// ```
    pub fn max_timeout(self, timeout: Duration) -> ContextLayer {
        self.with(|config| config.max = Some(Limit::new(timeout, DeadlineSource::Maximum)))
    }

    /// Answers in the place of a handler that has not answered when the context ends: 504,
    /// 503, or the gRPC status. The handler's future is dropped.
    ///
    /// Without this, a handler that does not look at its context runs to its end, and its late
    /// answer is sent. A gRPC call whose deadline has passed is answered in any case, as tonic
    /// itself does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let stuck = service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>());
    /// let service = ContextLayer::new(&Context::background())
    ///     .default_timeout(Duration::from_secs(5))
    ///     .answer_when_done()
    ///     .layer(stuck);
    /// let response = service.oneshot(Request::new(())).await.unwrap();
    /// assert_eq!(response.status(), 504);
    /// # }
    /// ```
    pub fn answer_when_done(self) -> ContextLayer {
        self.with(|config| config.answers_when_done = true)
    }

    /// The context of something other than a request: a message, a job.
    ///
    /// Deadline and keys are read as they are from a request, with the same limits, and the
    /// context ends with the server's as well. It ends when the guard is dropped, which is when
    /// the work is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::headers::Baggage;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let worker = Context::background().with_cancel();
    /// let jobs = ContextLayer::new(&worker)
    ///     .max_timeout(Duration::from_secs(30))
    ///     .key::<Baggage>();
    ///
    /// let metadata = HashMap::from([("baggage".to_owned(), "plan=gold".to_owned())]);
    /// let ctx = jobs.extract(&metadata);
    /// assert_eq!(ctx.value::<Baggage>().unwrap().get("plan"), Some("gold"));
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(30)));
    /// # }
    /// ```
    pub fn extract(&self, carrier: &impl Carrier) -> CancelGuard {
        self.config.derive(&self.config.server, carrier)
    }

    /// Calls `hook` with a [summary](RequestSummary) of each request that is over, answered or
    /// not: enough for metrics, and for a log. A clone made before goes without.
    ///
    /// It is called where the response, or its body, is dropped, and should be quick. A panic
    /// in it goes no further.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use http::{Request, Response};
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::ContextLayer;
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let finished = Arc::new(AtomicU64::new(0));
    /// let count = finished.clone();
    /// let layer = ContextLayer::new(&Context::background()).on_end(move |request| {
    ///     if request.reason() == Reason::RequestFinished {
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// let hello = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    /// layer.layer(hello).oneshot(Request::new(())).await.unwrap();
    /// assert_eq!(finished.load(Ordering::Relaxed), 1);
    /// # }
    /// ```
    pub fn on_end(self, hook: impl Fn(&RequestSummary) + Send + Sync + 'static) -> ContextLayer {
        self.with(|config| config.on_end(Arc::new(hook)))
    }

    /// How many headers were ignored so far, because they were malformed, too long or repeated.
    ///
    /// Clones of the layer count together.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx_core::{Context, owner};
    /// use tokio_ctx::tower::ContextLayer;
    ///
    /// let layer = ContextLayer::new(&Context::background());
    /// assert_eq!(layer.ignored_headers(), 0);
    /// ```
    #[must_use]
    pub fn ignored_headers(&self) -> u64 {
        self.config.num_ignored_headers()
    }

    /// How many requests have a context that was not ended yet by the end of the request.
    ///
    /// Clones of the layer count together.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx_core::{Context, owner};
    /// use tokio_ctx::tower::ContextLayer;
    ///
    /// let layer = ContextLayer::new(&Context::background());
    /// assert_eq!(layer.live_requests(), 0);
    /// ```
    #[must_use]
    pub fn live_requests(&self) -> u64 {
        self.config.num_live_requests()
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService::new(Arc::clone(&self.config), inner)
    }
}

impl fmt::Debug for ContextLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
