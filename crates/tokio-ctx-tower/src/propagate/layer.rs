//! The layer for clients: [`PropagateLayer`].

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_ctx_core::{Budget, Cancelled, Context};
use tower_layer::Layer;

use super::service::PropagateService;
use crate::headers::{self, GRPC_TIMEOUT, HeaderKey, KeyList};

/// Puts what remains of the deadline, and the listed keys, on each outgoing request, and gives
/// the request up when its context ends.
///
/// The context is the one among the request's extensions; a request without one passes
/// unchanged. To give up a request is to drop it: HTTP/2 resets the stream, HTTP/1 closes the
/// connection, and a [`ContextLayer`](crate::ContextLayer) at the other end ends its context
/// with [`CallerGone`](tokio_ctx_core::Reason::CallerGone). A context that has ended already sends
/// nothing at all.
///
/// A call that streams both ways should let the stream that it sends end with the context,
/// as with `stream.take_until(ctx.done_owned())`: hyper does not tell the
/// server of an answer that is dropped while the request is still being sent.
///
/// The deadline travels as the time that is left, in `grpc-timeout` and in the header that
/// [`timeout_header`](Self::timeout_header) names. A header that is on the request already is
/// left alone, except that a deadline is never made longer: an own `grpc-timeout` stays only
/// if it is the shorter one.
///
/// # Errors
///
/// The service made by the layer fails with the error of the service inside, or with a
/// [`ContextError`](crate::ContextError) when the context ends first. With the feature `tonic`
/// a call of gRPC fails with the `tonic::Status` for it instead.
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
    timeout_header: Option<HeaderName>,
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
    /// use tokio_ctx::tower::headers::{Baggage, BaggageEntries};
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
    /// let baggage = BaggageEntries::default().with("plan", "gold").unwrap();
    /// let ctx = Context::background().with_value::<Baggage>(baggage);
    /// let headers = sent(PropagateLayer::new().key::<Baggage>(), &ctx).await;
    /// assert_eq!(headers["baggage"], "plan=gold");
    /// assert!(sent(PropagateLayer::new(), &ctx).await.is_empty(), "no key is listed");
    /// # }
    /// ```
    pub fn key<K: HeaderKey>(self) -> PropagateLayer {
        self.with(|config| config.keys.add::<K>())
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
}

impl<S> Layer<S> for PropagateLayer {
    type Service = PropagateService<S>;

    fn layer(&self, inner: S) -> PropagateService<S> {
        PropagateService::new(Arc::clone(&self.config), inner)
    }
}

impl Config {
    /// Writes the headers. Returns the context of the call, which ends earlier by the reserve.
    pub(super) fn write(
        &self,
        ctx: &Context,
        headers: &mut HeaderMap,
    ) -> Result<Context, Cancelled> {
        // One nanosecond: a server could do nothing with less, and cannot be told of nothing.
        let budget = Budget::reserve(self.reserve).at_least(Duration::from_nanos(1));
        let call = ctx.with_budget(budget)?;
        if let Some(left) = call.remaining() {
            let in_grpc = headers::grpc_value(left);
            write_shorter(headers, GRPC_TIMEOUT, in_grpc, left, headers::parse_grpc);
            if let Some(name) = self.timeout_header.clone() {
                let in_millis = headers::millis_value(left);
                write_shorter(headers, name, in_millis, left, headers::parse_chosen);
            }
        }
        self.keys.write(&call, headers);
        Ok(call)
    }
}

/// Writes a deadline unless an earlier one is there.
fn write_shorter(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: Option<HeaderValue>,
    left: Duration,
    parse: fn(&str) -> Option<Duration>,
) {
    let own = headers.get(&name).and_then(|own| parse(own.to_str().ok()?));
    if own.is_some_and(|own| own <= left) {
        return;
    }
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}
