//! The layer for clients: [`PropagateLayer`].

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio_ctx_core::{Budget, Cancelled, Context};
use tower_layer::Layer;

use super::service::PropagateService;
use crate::headers::{self, Carrier, GRPC_TIMEOUT, HeaderKey, KeyList};

/// Puts what remains of the deadline, and the listed keys, on each outgoing request, and gives
/// the request up when its context ends.
///
/// The context is the one among the request's extensions; a request without one passes
/// unchanged. To give up a request is to drop it: HTTP/2 resets the stream, HTTP/1 closes the
/// connection, and a [`ContextLayer`](crate::ContextLayer) at the other end ends its context
/// with [`CallerGone`](tokio_ctx_core::Reason::CallerGone). A context that has ended already sends
/// nothing at all. The wait for a service that is not ready is under the context too, and the
/// deadline is written after it.
///
/// A retry goes outside: each attempt then takes what is left of the same deadline. Inside, a
/// second attempt would send the deadline of the first, which is no longer true.
///
/// A call that streams both ways should let the stream that it sends end with the context,
/// as with `stream.take_until(ctx.done_owned())`: hyper does not tell the
/// server of an answer that is dropped while the request is still being sent.
///
/// The deadline travels as the time that is left, in `grpc-timeout` and in the header that
/// [`timeout_header`](Self::timeout_header) names. To hide it from services that are not yours, see
/// [`without_grpc_timeout`](Self::without_grpc_timeout). A header that is on the request already is
/// left alone, except that a deadline is never made longer: an own `grpc-timeout` stays only
/// if it is the shorter one.
///
/// # Errors
///
/// The service made by the layer fails with the error of the service inside, or with a
/// [`ContextError`](crate::ContextError) when the context ends first. With the feature `tonic`
/// a call of gRPC fails with the `tonic::Status` for it instead. In a handler of axum that passes
/// a request on, `error.downcast::<ContextError>()` gives what can be answered as it is.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::BodyExt as _;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::propagate::PropagateLayer;
/// use tower::{ServiceExt, service_fn};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let client = PropagateLayer::new()
///     .reserve(Duration::from_millis(50))
///     .layer(service_fn(async |request: Request<String>| {
///         let sent = request.headers()["grpc-timeout"].to_str().unwrap().to_owned();
///         Ok::<_, Infallible>(Response::new(sent))
///     }));
///
/// let ctx = Context::background().with_timeout(Duration::from_secs(1));
/// let request = Request::builder().extension(ctx).body(String::new()).unwrap();
/// let response = client.oneshot(request).await.unwrap();
/// let body = response.into_body().collect().await.unwrap();
/// assert_eq!(body.to_bytes(), "950000u");
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a layer does nothing until a service is wrapped in it"]
pub struct PropagateLayer {
    config: Arc<Config>,
}

/// What all requests of a layer share.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    keys: KeyList,
    without_grpc_timeout: bool,
    timeout_header: Option<HeaderName>,
    deadline_header: Option<HeaderName>,
    reserve: Duration,
}

impl PropagateLayer {
    /// A layer that sends deadlines, and no keys.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(250));
    /// let headers = sent(PropagateLayer::new(), &ctx).await;
    /// assert_eq!(headers["grpc-timeout"], "250000u");
    /// assert_eq!(headers.len(), 1);
    /// # }
    /// ```
    pub fn new() -> PropagateLayer {
        PropagateLayer::default()
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> PropagateLayer {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// Sends the value of `K`, where the context has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::headers::Baggage;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let baggage = Baggage::default().with("plan", "gold").unwrap();
    /// let ctx = Context::background().with_value::<Baggage>(baggage);
    /// let headers = sent(PropagateLayer::new().key::<Baggage>(), &ctx).await;
    /// assert_eq!(headers["baggage"], "plan=gold");
    /// assert!(sent(PropagateLayer::new(), &ctx).await.is_empty(), "no key is listed");
    /// # }
    /// ```
    pub fn key<K: HeaderKey>(self) -> PropagateLayer {
        self.with(|config| config.keys.add::<K>())
    }

    /// Sends the [`TraceContext`](crate::headers::TraceContext) as it is, where the context has one:
    /// `traceparent` with its `tracestate`.
    ///
    /// A `traceparent` that is on the request already is a tracer's, and both headers are left
    /// alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::headers::TraceContext;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let trace = TraceContext::parse(parent, "congo=t61rcWkgMzE").unwrap();
    /// let ctx = Context::background().with_value::<TraceContext>(trace);
    /// let headers = sent(PropagateLayer::new().trace_context(), &ctx).await;
    /// assert_eq!(headers["traceparent"], parent);
    /// assert_eq!(headers["tracestate"], "congo=t61rcWkgMzE");
    /// # }
    /// ```
    pub fn trace_context(self) -> PropagateLayer {
        self.with(|config| config.keys.add_trace())
    }

    /// Does not send `grpc-timeout`, which is sent unless this is called.
    ///
    /// For services of others, which need not know how long their caller waits. The request is
    /// given up at its deadline all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(1));
    /// let headers = sent(PropagateLayer::new().without_grpc_timeout(), &ctx).await;
    /// assert!(headers.is_empty());
    /// # }
    /// ```
    pub fn without_grpc_timeout(self) -> PropagateLayer {
        self.with(|config| config.without_grpc_timeout = true)
    }

    /// Sends the deadline in that header too, as whole milliseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::HeaderName;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = PropagateLayer::new().timeout_header(HeaderName::from_static("x-timeout"));
    /// let ctx = Context::background().with_timeout(Duration::from_millis(1500));
    /// assert_eq!(sent(layer, &ctx).await["x-timeout"], "1500");
    /// # }
    /// ```
    pub fn timeout_header(self, name: HeaderName) -> PropagateLayer {
        self.with(|config| config.timeout_header = Some(name))
    }

    /// Sends the deadline in that header too, as a time of RFC 3339 in UTC: for what waits on
    /// the way, such as a message.
    ///
    /// See [`ContextLayer::deadline_header`](crate::ContextLayer::deadline_header).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::HeaderName;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use std::convert::Infallible;
    /// # use http::{HeaderMap, Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    /// # async fn sent(layer: PropagateLayer, ctx: &Context) -> HeaderMap {
    /// #     let echo = service_fn(async |request: Request<()>| {
    /// #         let mut response = Response::new(String::new());
    /// #         *response.headers_mut() = request.headers().clone();
    /// #         Ok::<_, Infallible>(response)
    /// #     });
    /// #     let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    /// #     layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let expiry = HeaderName::from_static("ce-expirytime");
    /// let ctx = Context::background().with_timeout(Duration::from_secs(1));
    /// let headers = sent(PropagateLayer::new().deadline_header(expiry), &ctx).await;
    /// assert!(headers["ce-expirytime"].to_str().unwrap().ends_with('Z'));
    /// # }
    /// ```
    pub fn deadline_header(self, name: HeaderName) -> PropagateLayer {
        self.with(|config| config.deadline_header = Some(name))
    }

    /// Keeps that much of the remaining time for what comes after the answer.
    ///
    /// With less than that remaining a request is not sent; its error has the reason
    /// [`BudgetExhausted`](tokio_ctx_core::Reason::BudgetExhausted).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::ContextError;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let client = PropagateLayer::new()
    ///     .reserve(Duration::from_millis(50))
    ///     .layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    /// let ctx = Context::background().with_timeout(Duration::from_millis(20));
    /// let request = Request::builder().extension(ctx).body(()).unwrap();
    /// let error = client.oneshot(request).await.unwrap_err();
    /// let error: &ContextError = error.downcast_ref().unwrap();
    /// assert_eq!(error.cancelled().reason(), Reason::BudgetExhausted);
    /// # }
    /// ```
    pub fn reserve(self, reserve: Duration) -> PropagateLayer {
        self.with(|config| config.reserve = reserve)
    }

    /// Writes the deadline and the keys of `ctx` into something other than a request: a
    /// message, a job. Returns the context of what is sent, which ends earlier by the reserve.
    ///
    /// A time that is left does not count what the message waits for: leave it out, and send
    /// the [deadline](Self::deadline_header) itself.
    ///
    /// # Errors
    ///
    /// A [`Cancelled`] when `ctx` has ended, or has less than the reserve left. Nothing was
    /// written then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::time::Duration;
    /// use http::HeaderName;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::headers::Baggage;
    /// use tokio_ctx::tower::propagate::PropagateLayer;
    ///
    /// # fn main() -> Result<(), tokio_ctx::Cancelled> {
    /// let jobs = PropagateLayer::new()
    ///     .without_grpc_timeout()
    ///     .deadline_header(HeaderName::from_static("ce-expirytime"))
    ///     .key::<Baggage>();
    ///
    /// let baggage = Baggage::default().with("plan", "gold").unwrap();
    /// let ctx = Context::background().with_value::<Baggage>(baggage);
    /// let mut metadata = HashMap::<String, String>::new();
    /// jobs.inject(&ctx.with_timeout(Duration::from_secs(60)), &mut metadata)?;
    /// assert_eq!(metadata["baggage"], "plan=gold");
    /// assert!(metadata.contains_key("ce-expirytime"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn inject(&self, ctx: &Context, carrier: &mut impl Carrier) -> Result<Context, Cancelled> {
        self.config.write(ctx, carrier)
    }
}

impl<S> Layer<S> for PropagateLayer {
    type Service = PropagateService<S>;

    fn layer(&self, inner: S) -> PropagateService<S> {
        PropagateService::new(Arc::clone(&self.config), inner)
    }
}

impl Config {
    /// Writes what is sent. Returns the context of the call, which ends earlier by the reserve.
    pub(super) fn write(
        &self,
        ctx: &Context,
        into: &mut impl Carrier,
    ) -> Result<Context, Cancelled> {
        // One nanosecond: zero is not a valid timeout.
        let budget = Budget::reserve(self.reserve).at_least(Duration::from_nanos(1));
        let call = ctx.with_budget(budget)?;
        if let Some(left) = call.remaining() {
            if !self.without_grpc_timeout {
                let text = headers::grpc_value(left);
                write_shorter(into, &GRPC_TIMEOUT, text, left, headers::parse_grpc);
            }
            if let Some(name) = &self.timeout_header {
                let text = headers::millis_value(left);
                write_shorter(into, name, text, left, headers::parse_chosen);
            }
            if let Some(name) = &self.deadline_header {
                let text = headers::deadline_value(left);
                write_shorter(into, name, text, left, headers::parse_deadline);
            }
        }
        self.keys.write(&call, into);
        Ok(call)
    }
}

/// Writes a deadline unless an earlier one is there.
fn write_shorter(
    into: &mut impl Carrier,
    name: &HeaderName,
    text: Option<String>,
    left: Duration,
    parse: fn(&str) -> Option<Duration>,
) {
    let own = headers::text_of(into, name, headers::MAX_TIMEOUT_BYTES);
    let own = own.ok().flatten().and_then(parse);
    if own.is_some_and(|own| own <= left) {
        return;
    }
    match text {
        Some(text) => into.set(name, text),
        None => into.unset(name),
    }
}
