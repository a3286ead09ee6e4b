//! A future that ends with a context.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;

use super::done::DoneOwned;
use crate::cancelled::Cancelled;
use crate::foreign::finish;

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
        // `None` once it is over, so that what the future holds is let go at once.
        #[pin]
        future: Option<F>,
        #[pin]
        done: DoneOwned,
        has_started: bool,
    }
}

impl<F> Run<F> {
    pub(crate) fn new(done: DoneOwned, future: F) -> Run<F> {
        Run {
            future: Some(future),
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
                    this.future.set(None);
                    return Poll::Ready(Err(cancelled));
                }
            }
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("`Run` was polled after it was ready");
        };
        // The future first: a value that is finished is never thrown away.
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(finish(this.future, output)));
        }
        let cancelled = ready!(this.done.poll_after(cx, seen));
        this.future.set(None);
        Poll::Ready(Err(cancelled))
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
