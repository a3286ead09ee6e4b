//! The body of the response to an outgoing request: [`PropagateBody`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_ctx_core::Context;
use tokio_ctx_core::future::DoneOwned;

use super::given_up;
use crate::error::BoxError;
use crate::extent::LastFrames;

pin_project! {
    /// The body of a response that came through a
    /// [`PropagateLayer`](crate::propagate::PropagateLayer). It fails when the context of the request
    /// ends before the body does: with a [`ContextError`](crate::ContextError) that has the
    /// reason, or with its status where the call is one of gRPC and tonic is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use bytes::Bytes;
    /// use futures_util::stream::pending;
    /// use http::{Request, Response};
    /// use http_body::Frame;
    /// use http_body_util::{BodyExt as _, StreamBody};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextError;
    /// use tokio_ctx::tower::propagate::{PropagateBody, PropagateLayer};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let endless = service_fn(async |_: Request<()>| {
    ///     let body = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
    ///     Ok::<_, Infallible>(Response::new(body))
    /// });
    /// let ctx = Context::background().with_cancel();
    /// let request = Request::builder().extension(Context::clone(&ctx)).body(()).unwrap();
    /// let response = PropagateLayer::new().layer(endless).oneshot(request).await.unwrap();
    /// let body: PropagateBody<_> = response.into_body();
    /// ctx.cancel();
    /// assert!(body.collect().await.unwrap_err().is::<ContextError>());
    /// # }
    /// ```
    pub struct PropagateBody<B> {
        // `None` once the context has ended, so that the request is given up at once.
        #[pin]
        inner: Option<B>,
        ctx: Context,
        #[pin]
        done: DoneOwned,
        last_frames: LastFrames,
        is_grpc: bool,
    }
}

impl<B> PropagateBody<B> {
    pub(crate) fn new(ctx: Context, inner: B, is_grpc: bool) -> PropagateBody<B> {
        PropagateBody {
            inner: Some(inner),
            done: ctx.done_owned(),
            ctx,
            last_frames: LastFrames::new(),
            is_grpc,
        }
    }
}

impl<B> Body for PropagateBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = inner.poll_frame(cx);
        let cancelled = match &polled {
            Poll::Pending => match this.done.poll(cx) {
                Poll::Ready(cancelled) => Some(cancelled),
                Poll::Pending => return Poll::Pending,
            },
            // What has arrived is handed out: most answers are complete with it.
            Poll::Ready(Some(Ok(_))) if this.last_frames.is_too_late(this.ctx) => this.ctx.err(),
            // The other end, or the connection, reports what we know better.
            Poll::Ready(Some(Err(_))) => this.ctx.err(),
            Poll::Ready(_) => None,
        };
        let Some(cancelled) = cancelled else {
            return polled.map_err(Into::into);
        };
        this.inner.set(None);
        Poll::Ready(Some(Err(given_up(cancelled, *this.is_grpc))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An empty body, as tonic wants to make one.
impl<B: Default> Default for PropagateBody<B> {
    fn default() -> PropagateBody<B> {
        PropagateBody::new(Context::background(), B::default(), false)
    }
}

impl<B> fmt::Debug for PropagateBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateBody").finish_non_exhaustive()
    }
}
