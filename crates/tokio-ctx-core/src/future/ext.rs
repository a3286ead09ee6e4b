//! Contexts as adapters of futures and streams.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use super::{DoneOwned, Run};
use crate::context::Context;

/// Adds [`with_context`](ContextExt::with_context) to every future.
pub trait ContextExt: Future {
    /// [`Context::run`], written behind the future.
    ///
    /// # Errors
    ///
    /// The output is `Err` with why the context ended, when that was first.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, ContextExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// assert_eq!(async { 7 }.with_context(&ctx).await.unwrap(), 7);
    /// ctx.cancel();
    /// assert!(async { 7 }.with_context(&ctx).await.is_err());
    /// # }
    /// ```
    fn with_context(self, ctx: &Context) -> Run<Self>
    where
        Self: Sized,
    {
        ctx.run(self)
    }
}

impl<F: Future> ContextExt for F {}

/// Adds [`until_done`](StreamContextExt::until_done) to every stream.
pub trait StreamContextExt: Stream {
    /// The same stream, which ends when the context does.
    ///
    /// Ask the context why it ended, if that matters: the stream only stops. An item that is
    /// ready when the context ends is not given out any more; use
    /// [`Context::run`] with the stream's own `next` to take items that are ready first.
    ///
    /// # Cancel safety
    ///
    /// Waiting for the next item is as cancel safe as with the stream itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tokio_ctx::{Context, StreamContextExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let mut numbers = std::pin::pin!(stream::iter(1..).until_done(&ctx));
    /// assert_eq!(numbers.next().await, Some(1));
    /// ctx.cancel();
    /// assert_eq!(numbers.next().await, None);
    /// # }
    /// ```
    fn until_done(self, ctx: &Context) -> UntilDone<Self>
    where
        Self: Sized,
    {
        UntilDone {
            stream: Some(self),
            done: ctx.done_owned(),
        }
    }
}

impl<S: Stream> StreamContextExt for S {}

pin_project! {
    /// The stream of [`until_done`](StreamContextExt::until_done).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::stream;
    /// use tokio_ctx::{Context, StreamContextExt, future::UntilDone};
    ///
    /// let numbers: UntilDone<_> = stream::iter([1]).until_done(&Context::background());
    /// assert_eq!(format!("{numbers:?}"), "UntilDone { .. }");
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct UntilDone<S> {
        // `None` once it is over, so that what the stream holds is let go at once.
        #[pin]
        stream: Option<S>,
        #[pin]
        done: DoneOwned,
    }
}

impl<S: Stream> Stream for UntilDone<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // The context first: a stream that is always ready must not outrun it.
        let polled = match this.done.poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => stream.poll_next(cx),
        };
        if matches!(polled, Poll::Ready(None)) {
            this.stream.set(None);
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let upper = self
            .stream
            .as_ref()
            .map_or(Some(0), |stream| stream.size_hint().1);
        (0, upper)
    }
}

impl<S: Stream> FusedStream for UntilDone<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S> fmt::Debug for UntilDone<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilDone").finish_non_exhaustive()
    }
}
