//! A future that ends with a context.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;

use super::done::DoneOwned;
use crate::cancelled::Cancelled;
use crate::foreign::Whole;

pin_project! {
    /// The future of [`Context::run`](crate::Context::run).
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, future::Run};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let run: Run<std::future::Ready<u8>> = Context::background().run(std::future::ready(7));
    /// assert_eq!(run.await.unwrap(), 7);
    /// # }
    /// ```
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Run<F> {
        // Let go at once when it is over, with what it holds.
        #[pin]
        future: Whole<F>,
        #[pin]
        done: DoneOwned,
        has_started: bool,
    }
}

impl<F> Run<F> {
    pub(crate) fn new(done: DoneOwned, future: F) -> Run<F> {
        Run {
            future: Whole::new(future),
            done,
            has_started: false,
        }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut seen = None;
        if !*this.has_started {
            *this.has_started = true;
            match this.done.live_at() {
                Ok(now) => seen = now,
                Err(cancelled) => {
                    this.future.set(Whole::OVER);
                    return Poll::Ready(Err(cancelled));
                }
            }
        }
        assert!(
            !this.future.is_over(),
            "`Run` was polled after it was ready"
        );
        // The future first: a value that is finished is never thrown away.
        if let Poll::Ready(output) = this.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let cancelled = ready!(this.done.poll_after(cx, seen));
        this.future.set(Whole::OVER);
        Poll::Ready(Err(cancelled))
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
