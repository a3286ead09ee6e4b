//! The future of an outgoing request: [`PropagateFuture`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio_ctx_core::Context;
use tokio_ctx_core::future::DoneOwned;
use tower_service::Service;

use super::body::PropagateBody;
use super::layer::Config;
use super::{failed, given_up};
use crate::error::BoxError;
use crate::protocol::Protocol;

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
    /// let response: PropagateFuture<_, ()> = client.call(request);
    /// ctx.cancel();
    /// assert!(response.await.unwrap_err().is::<ContextError>());
    /// # }
    /// ```
    #[must_use = "a request whose future is dropped is given up"]
    pub struct PropagateFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
        ctx: Context,
        #[pin]
        done: DoneOwned,
        is_grpc: bool,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        Waiting {
            config: Arc<Config>,
            service: S,
            request: Option<Request<B>>,
        },
        Calling {
            #[pin]
            call: F,
        },
        Over,
    }
}

impl<S: Service<Request<B>>, B> PropagateFuture<S, B> {
    pub(super) fn new(
        config: Arc<Config>,
        service: S,
        request: Request<B>,
    ) -> PropagateFuture<S, B> {
        let ctx = request.extensions().get::<Context>().cloned();
        let ctx = ctx.unwrap_or_default();
        PropagateFuture {
            done: ctx.done_owned(),
            ctx,
            is_grpc: Protocol::of_request(&request).is_grpc(),
            state: State::Waiting {
                config,
                service,
                request: Some(request),
            },
        }
    }

    /// Goes on until the service has answered; `None` while it has not.
    fn advance<R>(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Option<Answer<R>>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
    {
        let mut this = self.project();
        loop {
            let (config, service, request) = match this.state.as_mut().project() {
                StateProj::Waiting {
                    config,
                    service,
                    request,
                } => (config, service, request),
                // The answer first: a finished value wins over the end of the context.
                StateProj::Calling { call } => {
                    return match call.poll(cx) {
                        Poll::Ready(answer) => Some(answer.map_err(Into::into)),
                        Poll::Pending => None,
                    };
                }
                StateProj::Over => panic!("a response future was polled after completion"),
            };
            // A context that has ended sends nothing, however ready the service is.
            if let Err(cancelled) = this.ctx.check() {
                return Some(Err(given_up(cancelled, *this.is_grpc)));
            }
            match service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Some(Err(error.into())),
                Poll::Pending => return None,
            }
            let mut request = request.take()?;
            // A request without a context passes unchanged.
            if request.extensions().get::<Context>().is_some() {
                // Only now: what was waited for is not left any more.
                match config.write(this.ctx, request.headers_mut()) {
                    Ok(ctx) => {
                        this.done.set(ctx.done_owned());
                        *this.ctx = ctx;
                    }
                    Err(cancelled) => return Some(Err(given_up(cancelled, *this.is_grpc))),
                }
            }
            let call = service.call(request);
            this.state.set(State::Calling { call });
        }
    }
}

/// What a service answers.
type Answer<R> = Result<Response<R>, BoxError>;

impl<S, B, R> Future for PropagateFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Output = Answer<PropagateBody<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let answer = self.as_mut().advance(cx);
        let mut this = self.project();
        let result = match answer {
            Some(Ok(response)) => {
                let (ctx, is_grpc) = (this.ctx.clone(), *this.is_grpc);
                Ok(response.map(|body| PropagateBody::new(ctx, body, is_grpc)))
            }
            Some(Err(error)) => Err(match this.ctx.err() {
                // The other end, or the service inside, reports what we know better.
                Some(cancelled) => given_up(cancelled, *this.is_grpc),
                None => failed(error),
            }),
            None => match this.done.poll(cx) {
                Poll::Ready(cancelled) => Err(given_up(cancelled, *this.is_grpc)),
                Poll::Pending => return Poll::Pending,
            },
        };
        // Given up at once, not when this future is dropped.
        this.state.set(State::Over);
        Poll::Ready(result)
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for PropagateFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateFuture")
            .field("context", &self.ctx)
            .finish_non_exhaustive()
    }
}
