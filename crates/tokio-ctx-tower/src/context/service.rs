//! The service that [`ContextLayer`](crate::ContextLayer) makes: [`ContextService`].

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::context::body::ContextBody;
use crate::context::config::Config;
use crate::context::future::ResponseFuture;

/// A service whose requests have a context; see [`ContextLayer`](crate::ContextLayer).
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextLayer;
/// use tokio_ctx::tower::context::ContextService;
/// # use tower::{ServiceExt, service_fn};
/// # use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let handler = service_fn(async |request: Request<()>| {
///     assert!(request.extensions().get::<Context>().is_some());
///     Ok::<_, Infallible>(Response::new("hello".to_owned()))
/// });
/// let service: ContextService<_> = ContextLayer::new(&Context::background()).layer(handler);
/// assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct ContextService<S> {
    config: Arc<Config>,
    inner: S,
}

impl<S> ContextService<S> {
    pub(crate) fn new(config: Arc<Config>, inner: S) -> ContextService<S> {
        ContextService { config, inner }
    }
}

impl<S, B, R> Service<Request<B>> for ContextService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ContextBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future> {
        let kind = crate::context::future::Kind::of(&request, self.config.answers_when_done);
        let mut end = self.config.begin(&mut request);
        // A service may panic before it has made its future.
        let inner = end.while_polling(|| self.inner.call(request));
        ResponseFuture::new(end, kind, inner)
    }
}

/// The service inside is not printed: what it holds is its own.
impl<S> fmt::Debug for ContextService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextService")
            .field("layer", &self.config)
            .finish_non_exhaustive()
    }
}
