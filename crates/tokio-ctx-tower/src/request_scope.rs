//! A scope for each request: [`RequestScopeLayer`].

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use spawn_scoped::{Scope, ScopeOptions};
use tokio::sync::oneshot;
use tokio_ctx_core::Context;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::BoxError;
use crate::extent::{Asked, Extent};

/// Gives each request a scope, so that work which a handler spawns is part of its request.
///
/// Goes inside a [`ContextLayer`](crate::ContextLayer), whose context the scope is under, and
/// replaces that context by the scope's. Handlers find a [`RequestScope`] among the request's
/// extensions, or by the extractor of the feature `axum`.
///
/// - The answer waits for the tasks. A response of known length, or without a body, is sent once
///   they are joined. Where the handler streams its body, the last of it is sent once they are:
///   the end of a stream, or the last bytes where the length is known.
/// - An upgrade waits for nothing: what follows it needs the answer first.
/// - When the client goes away, the handler is dropped and the tasks are asked to stop; the
///   scope around, that of the server, waits for them.
/// - The first task that fails ends the context of the request, and with it the other tasks.
///   What the handler answers then is up to the handler, and what it answers is sent; the
///   failure is logged. A panic of a task is resumed, as if the handler had panicked.
///
/// A handler that opens its own [`scope`](spawn_scoped::scope) needs none of this, and gets a
/// typed error for it. This is for handlers, and for helpers far below them, that used to call
/// `tokio::spawn`.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use http::{Request, Response};
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextLayer;
/// use tokio_ctx::tower::request_scope::{RequestScope, RequestScopeLayer};
/// use tower::{ServiceExt, service_fn};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let audited = Arc::new(AtomicBool::new(false));
/// let seen = audited.clone();
/// let handler = service_fn(move |request: Request<String>| {
///     let scope = request.extensions().get::<RequestScope>().unwrap().clone();
///     let audited = audited.clone();
///     async move {
///         scope.spawn(async move |_ctx| Ok(audited.store(true, Ordering::Relaxed)));
///         Ok::<_, Infallible>(Response::new("hello".to_owned()))
///     }
/// });
///
/// let layer = ContextLayer::new(&Context::background());
/// let service = layer.layer(RequestScopeLayer::new().layer(handler));
/// service.oneshot(Request::new(String::new())).await.unwrap();
/// assert!(seen.load(Ordering::Relaxed), "the answer came after its tasks");
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a layer does nothing until a service is wrapped in it"]
pub struct RequestScopeLayer(());

impl RequestScopeLayer {
    /// The layer. There is nothing to set.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response};
    /// use tokio_ctx::tower::request_scope::{RequestScope, RequestScopeLayer};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let service = RequestScopeLayer::new().layer(service_fn(async |request: Request<()>| {
    ///     let has_scope = request.extensions().get::<RequestScope>().is_some();
    ///     Ok::<_, Infallible>(Response::new(has_scope.to_string()))
    /// }));
    /// let response = service.oneshot(Request::new(())).await.unwrap();
    /// # use http_body_util::BodyExt as _;
    /// assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "true");
    /// # }
    /// ```
    pub fn new() -> RequestScopeLayer {
        RequestScopeLayer(())
    }
}

impl<S> Layer<S> for RequestScopeLayer {
    type Service = RequestScopeService<S>;

    fn layer(&self, inner: S) -> RequestScopeService<S> {
        RequestScopeService { inner }
    }
}

/// The scope of a request: derefs to the [`Scope`] to spawn in.
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::request_scope::RequestScope;
///
/// fn audit(scope: &RequestScope, line: String) {
///     scope.spawn(async move |ctx| {
///         ctx.check()?;
///         let line = String::from_utf8(line.into_bytes())?; // errors of any type
///         println!("{line}");
///         Ok(())
///     });
/// }
/// # use http::{Request, Response};
/// # use tower::{ServiceExt, service_fn};
/// # use tower_layer::Layer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
///
/// let handler = service_fn(async |request: Request<()>| {
///     let scope: &RequestScope = request.extensions().get().unwrap();
///     audit(scope, "one request".to_owned());
///     assert_eq!(scope.unfinished().len(), 1);
///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// });
/// let service = tokio_ctx::tower::request_scope::RequestScopeLayer::new().layer(handler);
/// assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct RequestScope(Scope<BoxError>);

impl Deref for RequestScope {
    type Target = Scope<BoxError>;

    fn deref(&self) -> &Scope<BoxError> {
        &self.0
    }
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestScope")
            .field(self.0.context())
            .finish()
    }
}

/// The service that [`RequestScopeLayer`] makes.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tokio_ctx::tower::request_scope::{RequestScopeLayer, RequestScopeService};
/// # use tower::{ServiceExt, service_fn};
/// # use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let handler = service_fn(async |_: Request<()>| {
///     Ok::<_, Infallible>(Response::new("hello".to_owned()))
/// });
/// let service: RequestScopeService<_> = RequestScopeLayer::new().layer(handler);
/// assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct RequestScopeService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequestScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
{
    /// Its body ends once the tasks of the request are joined.
    type Response = Response<Boxed<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = Asked::by(request.method());
        let next = self.inner.clone();
        // The one that was polled ready is the one to call.
        let inner = std::mem::replace(&mut self.inner, next);
        let (send_response, response) = oneshot::channel();
        let (stream_is_over, over) = oneshot::channel();
        let running = Box::pin(run(asked, inner, request, send_response, over));
        Box::pin(ScopedFuture {
            running,
            response,
            answer: None,
            stream_is_over: Some(stream_is_over),
        })
    }
}

impl<S> fmt::Debug for RequestScopeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScopeService")
            .finish_non_exhaustive()
    }
}

/// A scope with a handler as its body. Where a stream is to follow it stays open until that is
/// over.
async fn run<S, B, R>(
    asked: Asked,
    mut inner: S,
    mut request: Request<B>,
    response: oneshot::Sender<Result<Response<ScopedBody<R>>, S::Error>>,
    stream_is_over: oneshot::Receiver<()>,
) where
    S: Service<Request<B>, Response = Response<R>> + Send,
    S::Future: Send,
    S::Error: Send,
    B: Send,
    R: Body<Data = Bytes> + Send,
{
    let ctx = request
        .extensions()
        .get::<Context>()
        .cloned()
        .unwrap_or_default();
    // The handler answers, whatever its tasks do.
    let options = ScopeOptions::<BoxError>::new().keep_body();
    let joined = options.run(&ctx, async move |s: Scope<BoxError>| {
        request.extensions_mut().insert(s.context().clone());
        request.extensions_mut().insert(RequestScope(s.clone()));
        let result = inner.call(request).await;
        let result = result.map(|response| ScopedBody::wrap(asked, response));
        let streams = result.as_ref().is_ok_and(is_sent_first);
        // The receiver is gone only if we are being dropped.
        drop(response.send(result));
        if streams {
            drop(stream_is_over.await);
        }
        Ok(())
    });
    if let Err(error) = joined.await {
        tracing::warn!(%error, "a task of a request failed");
    }
}

/// Whether the answer, or its head, is sent before the tasks are joined.
fn is_sent_first<R: Body<Data = Bytes>>(response: &Response<ScopedBody<R>>) -> bool {
    match response.body().extent {
        Extent::Empty => false,
        Extent::Upgrade | Extent::Stream => true,
        // Of a body that is whole the tasks cannot be a part.
        Extent::Bytes(_) => response.body().size_hint().exact().is_none(),
    }
}

/// The body of a response.
type Boxed<R> = Pin<Box<dyn Body<Data = Bytes, Error = <R as Body>::Error> + Send>>;

/// What runs the handler and joins its tasks.
type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The response to a request with a scope of its own. Dropped early, it asks the tasks of the
/// request to stop.
#[must_use = "a request whose future is dropped is cancelled"]
struct ScopedFuture<R, E> {
    running: Running,
    response: oneshot::Receiver<Result<Response<ScopedBody<R>>, E>>,
    /// What the handler answered, while its tasks are joined.
    answer: Option<Result<Response<ScopedBody<R>>, E>>,
    stream_is_over: Option<oneshot::Sender<()>>,
}

/// Nothing in it is pinned but what is in a box.
impl<R, E> Unpin for ScopedFuture<R, E> {}

impl<R: Body<Data = Bytes> + Send + 'static, E> Future for ScopedFuture<R, E> {
    type Output = Result<Response<Boxed<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let is_joined = this.running.as_mut().poll(cx).is_ready();
        if this.answer.is_none() {
            this.answer = this.response.try_recv().ok();
        }
        let streams = match &this.answer {
            Some(Ok(response)) => is_sent_first(response),
            _ => false,
        };
        if !is_joined && !streams {
            return Poll::Pending;
        }
        let answer = this
            .answer
            .take()
            .expect("a scope ends after the answer of its body");
        let running: Running = std::mem::replace(&mut this.running, Box::pin(async {}));
        let tail = (!is_joined).then(|| Tail {
            running,
            stream_is_over: this.stream_is_over.take(),
        });
        Poll::Ready(answer.map(|mut response| {
            response.body_mut().tail = tail;
            response.map(|body| Box::pin(body) as Boxed<R>)
        }))
    }
}

pin_project! {
    /// The body of a response whose end waits for the tasks of its request.
    struct ScopedBody<B> {
        // Before `inner`: the tasks are asked to stop before the stream they feed is dropped.
        tail: Option<Tail>,
        // The last frame, held back while the tasks are joined: servers read no further.
        last: Option<Frame<Bytes>>,
        extent: Extent,
        // What the body said of itself before it was let go.
        was: Option<(SizeHint, bool)>,
        #[pin]
        inner: Option<B>,
    }
}

impl<B: Body> ScopedBody<B> {
    /// Drops an unread body at once, so that tasks which feed it end.
    fn wrap(asked: Asked, response: Response<B>) -> Response<ScopedBody<B>> {
        let extent = Extent::of(asked, &response);
        response.map(|body| {
            let was = (body.size_hint(), body.is_end_stream());
            let is_read = extent != Extent::Empty;
            ScopedBody {
                tail: None,
                last: None,
                extent,
                was: (!is_read).then_some(was),
                inner: is_read.then_some(body),
            }
        })
    }
}

/// What remains of a request while its body is sent.
struct Tail {
    running: Running,
    /// Dropped to say so.
    stream_is_over: Option<oneshot::Sender<()>>,
}

impl<B: Body<Data = Bytes>> Body for ScopedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(tail) = this.tail else {
            return match this.last.take() {
                Some(last) => Poll::Ready(Some(Ok(last))),
                None => inner.poll_frame(cx),
            };
        };
        let mut polled = match tail.stream_is_over {
            Some(_) => inner.poll_frame(cx),
            None => Poll::Ready(None),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.extent.pass(frame);
            if this.extent.is_over() {
                let frame = std::mem::replace(&mut polled, Poll::Ready(None));
                if let Poll::Ready(Some(Ok(frame))) = frame {
                    *this.last = Some(frame);
                }
            }
        }
        if matches!(polled, Poll::Ready(None)) {
            tail.stream_is_over = None;
        }
        // Polled while the stream lasts too: it resumes panics and reports stragglers.
        let is_joined = tail.running.as_mut().poll(cx).is_ready();
        if is_joined {
            *this.tail = None;
        }
        match polled {
            Poll::Ready(None) if !is_joined => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(this.last.take().map(Ok)),
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.inner, &self.was) {
            (Some(inner), _) => self.tail.is_none() && self.last.is_none() && inner.is_end_stream(),
            (None, was) => was.as_ref().is_none_or(|(_, was_over)| *was_over),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.was) {
            (Some(inner), _) => inner.size_hint(),
            (None, was) => was
                .as_ref()
                .map_or_else(SizeHint::default, |(hint, _)| *hint),
        }
    }
}
