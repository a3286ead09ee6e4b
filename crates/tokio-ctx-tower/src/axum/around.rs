//! The layer around a whole router: [`around`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use axum_core::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::future::ResponseFuture;
use crate::context::layer::ContextLayer;
use crate::context::service::ContextService;
use crate::error::BoxError;

/// `layer` around `app`, a router mostly, with responses as `axum::serve` takes them.
///
/// The cheapest place for the layer in a service that keeps `axum::serve`: `Router::layer`
/// boxes the service, the future and the body once more for each request. Under
/// [`serve`](crate::serve()) it is not needed, which takes `layer.layer(app)` as it is.
///
/// # Examples
///
/// ```
/// use axum::extract::Request;
/// use axum::{Router, ServiceExt, routing::get};
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextLayer;
/// use tokio_ctx::tower::axum::around;
/// # use axum::body::Body;
/// # use http_body_util::BodyExt as _;
/// # use tower_service::Service as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hello = get(async |ctx: Context| format!("{}", ctx.is_done()));
/// let app = around(&ContextLayer::new(&Context::background()), Router::new().route("/", hello));
/// # let response = app.clone().call(http::Request::new(Body::empty())).await?;
/// # assert_eq!(response.into_body().collect().await?.to_bytes(), "false");
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let serve = axum::serve(listener, ServiceExt::<Request>::into_make_service(app));
/// # drop(serve);
/// # Ok(())
/// # }
/// ```
pub fn around<S, R>(
    layer: &ContextLayer,
    app: S,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = S::Error, Future: Send>
+ Clone
+ fmt::Debug
+ use<S, R>
where
    S: Service<Request<Body>, Response = Response<R>, Future: Send> + Clone,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    AroundService {
        inner: layer.layer(app),
    }
}

/// What [`around`] makes.
#[derive(Clone)]
struct AroundService<S> {
    inner: ContextService<S>,
}

pin_project! {
    /// The response of an [`AroundService`].
    struct AroundFuture<F> {
        #[pin]
        inner: ResponseFuture<F>,
    }
}

impl<S, R> Service<Request<Body>> for AroundService<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = AroundFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> AroundFuture<S::Future> {
        AroundFuture {
            inner: self.inner.call(request),
        }
    }
}

impl<F, R, E> Future for AroundFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let answered = ready!(self.project().inner.poll(cx));
        Poll::Ready(answered.map(|response| response.map(Body::new)))
    }
}

/// The service inside is not printed: what it holds is its own.
impl<S> fmt::Debug for AroundService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AroundService")
            .field("inner", &self.inner)
            .finish()
    }
}
