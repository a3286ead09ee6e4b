//! The service that [`PropagateLayer`](crate::propagate::PropagateLayer) makes: [`PropagateService`].

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::PropagateBody;
use super::future::PropagateFuture;
use super::layer::Config;
use crate::error::BoxError;

/// A client whose requests carry their context; see [`PropagateLayer`](crate::propagate::PropagateLayer).
///
/// It is always ready. The service inside is cloned for each call, and waited for under the
/// context of the call.
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
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<PropagateBody<R>>;
    type Error = BoxError;
    type Future = PropagateFuture<S, B>;

    /// At once: the service inside is waited for by the call, which knows the context.
    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> PropagateFuture<S, B> {
        PropagateFuture::new(Arc::clone(&self.config), self.inner.clone(), request)
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
