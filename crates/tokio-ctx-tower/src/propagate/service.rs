//! The service that [`PropagateLayer`](crate::propagate::PropagateLayer) makes: [`PropagateService`].

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response, header};
use tokio_ctx_core::Context;
use tower_service::Service;

use super::body::PropagateBody;
use super::future::PropagateFuture;
use super::layer::Config;
use crate::context::body::is_grpc;
use crate::error::BoxError;

/// A client whose requests carry their context; see [`PropagateLayer`](crate::propagate::PropagateLayer).
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::propagate::{PropagateLayer, PropagateService};
/// # use tower::{ServiceExt, service_fn};
/// # use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let server = service_fn(async |request: Request<()>| {
///     assert_eq!(request.headers()["grpc-timeout"], "1000000u");
///     Ok::<_, Infallible>(Response::new("hello".to_owned()))
/// });
/// let client: PropagateService<_> = PropagateLayer::new().layer(server);
/// let ctx = Context::background().with_timeout(Duration::from_secs(1));
/// let request = Request::builder().extension(ctx).body(()).unwrap();
/// assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct PropagateService<S> {
    config: Arc<Config>,
    inner: S,
}

impl<S> PropagateService<S> {
    pub(super) fn new(config: Arc<Config>, inner: S) -> PropagateService<S> {
        PropagateService { config, inner }
    }
}

impl<S, B, R> Service<Request<B>> for PropagateService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<PropagateBody<R>>;
    type Error = BoxError;
    type Future = PropagateFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> PropagateFuture<S::Future> {
        let ctx = request.extensions().get::<Context>().cloned();
        let Some(ctx) = ctx else {
            return PropagateFuture::calling(
                Context::background(),
                false,
                self.inner.call(request),
            );
        };
        let is_grpc = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(is_grpc);
        match self.config.write(&ctx, request.headers_mut()) {
            Ok(ctx) => PropagateFuture::calling(ctx, is_grpc, self.inner.call(request)),
            Err(cancelled) => PropagateFuture::refused(super::given_up(cancelled, is_grpc)),
        }
    }
}

/// The service inside is not printed: what it holds is its own.
impl<S> fmt::Debug for PropagateService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateService")
            .field("layer", &self.config)
            .finish_non_exhaustive()
    }
}
