//! The future of a response: [`ResponseFuture`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio_ctx_core::future::DoneOwned;

use crate::context::body::{self, ContextBody};
use crate::context::end::RequestEnd;
use crate::error::ContextError;
use crate::extent::Asked;
use crate::protocol::Protocol;

pin_project! {
    /// The response to one request. Dropped early, it ends the request's context with
    /// [`CallerGone`](tokio_ctx_core::Reason::CallerGone).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::pending;
    /// use std::sync::mpsc;
    /// use http::{Request, Response};
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::context::ResponseFuture;
    /// # use tower::service_fn;
    /// # use tower_layer::Layer;
    /// # use tower_service::Service;
    ///
    /// let (send, seen) = mpsc::channel::<Context>();
    /// let handler = service_fn(move |mut request: Request<()>| {
    ///     send.send(request.extensions_mut().remove().unwrap()).unwrap();
    ///     pending::<Result<Response<String>, Infallible>>()
    /// });
    /// let mut service = ContextLayer::new(&Context::background()).layer(handler);
    /// let response: ResponseFuture<_> = service.call(Request::new(()));
    /// drop(response); // as a server does when its client leaves
    /// assert_eq!(seen.recv().unwrap().err().unwrap().reason(), Reason::CallerGone);
    /// ```
    #[must_use = "a request whose future is dropped is cancelled"]
    pub struct ResponseFuture<F> {
        // Declared before `inner`, so dropped before it: whatever the handler waits for learns
        // that the client went away before it sees its own future dropped.
        end: Option<RequestEnd>,
        kind: Kind,
        // In a box, because few requests have it, and every one of them would have to be
        // larger, and moved, for it.
        cut_off: Option<Pin<Box<DoneOwned>>>,
        #[pin]
        inner: F,
    }
}

/// What has to be known of a request when its response comes.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    asked: Asked,
    protocol: Protocol,
    /// Whether the layer answers in the place of a handler that does not.
    answers_when_done: bool,
}

impl Kind {
    pub(crate) fn of<B>(request: &Request<B>, answers_when_done: bool) -> Kind {
        Kind {
            asked: Asked::by(request.method()),
            protocol: Protocol::of_request(request),
            answers_when_done,
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(end: RequestEnd, kind: Kind, inner: F) -> ResponseFuture<F> {
        let ctx = end.context();
        let is_cut_off =
            kind.answers_when_done || kind.protocol.is_grpc() && ctx.deadline().is_some();
        let cut_off = is_cut_off.then(|| Box::pin(ctx.done_owned()));
        ResponseFuture {
            end: Some(end),
            kind,
            cut_off,
            inner,
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ContextBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this.inner;
        let end = this
            .end
            .as_mut()
            .expect("a response future is not polled after its end");
        // The handler first: an answer that is there is better than an apology.
        match end.while_polling(|| inner.poll(cx)) {
            Poll::Ready(Ok(response)) => {
                end.answered(response.status());
                let end = this.end.take();
                return Poll::Ready(Ok(ContextBody::wrap(this.kind.asked, response, end)));
            }
            Poll::Ready(Err(error)) => {
                end.done();
                *this.end = None;
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {}
        }
        let Some(cut_off) = this.cut_off else {
            return Poll::Pending;
        };
        let cancelled = ready!(cut_off.as_mut().poll(cx));
        let error = ContextError::from(cancelled);
        if !this.kind.answers_when_done && !error.cancelled().is_timeout() {
            // It is shutting down, say: the handler owns its wind-down.
            *this.cut_off = None;
            return Poll::Pending;
        }
        let response = body::answer_to(&error, this.kind.protocol);
        end.answered(response.status());
        *this.end = None;
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctx = self.end.as_ref().map(RequestEnd::context);
        f.debug_struct("ResponseFuture")
            .field("context", &ctx)
            .finish_non_exhaustive()
    }
}
