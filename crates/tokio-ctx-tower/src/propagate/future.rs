//! The future of an outgoing request: [`PropagateFuture`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::Response;
use pin_project_lite::pin_project;
use tokio_ctx_core::Context;
use tokio_ctx_core::future::DoneOwned;

use super::body::PropagateBody;
use super::{failed, given_up};
use crate::error::BoxError;

pin_project! {
    /// The response to one outgoing request. Dropped early, it gives the request up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::pending;
    /// use http::{Request, Response};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextError;
    /// use tokio_ctx::tower::propagate::{PropagateFuture, PropagateLayer};
    /// # use tower::service_fn;
    /// # use tower_layer::Layer;
    /// # use tower_service::Service;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let silent = service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>());
    /// let mut client = PropagateLayer::new().layer(silent);
    /// let ctx = Context::background().with_cancel();
    /// let request = Request::builder().extension(Context::clone(&ctx)).body(()).unwrap();
    /// let response: PropagateFuture<_> = client.call(request);
    /// ctx.cancel();
    /// assert!(response.await.unwrap_err().is::<ContextError>());
    /// # }
    /// ```
    #[must_use = "a request whose future is dropped is given up"]
    pub struct PropagateFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling {
            #[pin]
            inner: F,
            #[pin]
            done: DoneOwned,
            ctx: Context,
            is_grpc: bool,
        },
        Refused { error: Option<BoxError> },
    }
}

impl<F> PropagateFuture<F> {
    pub(super) fn calling(ctx: Context, is_grpc: bool, inner: F) -> PropagateFuture<F> {
        let done = ctx.done_owned();
        PropagateFuture {
            state: State::Calling {
                inner,
                done,
                ctx,
                is_grpc,
            },
        }
    }

    pub(super) fn refused(error: BoxError) -> PropagateFuture<F> {
        PropagateFuture {
            state: State::Refused { error: Some(error) },
        }
    }
}

impl<F, R, E> Future for PropagateFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<PropagateBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let result = match state.as_mut().project() {
            StateProj::Refused { error } => {
                Err(error.take().expect("a future is not polled after its end"))
            }
            // The answer first: a finished value wins over the end of the context.
            StateProj::Calling {
                inner,
                done,
                ctx,
                is_grpc,
            } => match inner.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    let done = ctx.done_owned();
                    Ok(response.map(|body| PropagateBody::new(body, done, *is_grpc)))
                }
                Poll::Ready(Err(error)) => Err(match ctx.err() {
                    // Told by the other end, or by the service inside, what we know better.
                    Some(cancelled) => given_up(cancelled, *is_grpc),
                    None => failed(error.into()),
                }),
                Poll::Pending => match done.poll(cx) {
                    Poll::Ready(cancelled) => Err(given_up(cancelled, *is_grpc)),
                    Poll::Pending => return Poll::Pending,
                },
            },
        };
        // Given up at once, not when somebody gets around to dropping us.
        state.set(State::Refused { error: None });
        Poll::Ready(result)
    }
}

impl<F> fmt::Debug for PropagateFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateFuture").finish_non_exhaustive()
    }
}
