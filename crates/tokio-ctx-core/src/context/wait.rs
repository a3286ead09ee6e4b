//! Waiting, and being called.

use std::panic::Location;
use std::sync::Arc;

use super::Context;
use crate::cancelled::Cancelled;
use crate::future::{Done, DoneOwned, Run};
use crate::node::Node;
use crate::on_cancel::OnCancel;
use crate::sync::CancellationToken;

/// Waiting.
impl Context {
    /// Waits until the context ends, and tells why.
    ///
    /// Made to be called anew in each round of a `select!` loop: it allocates only when it
    /// is the first to wait on this context. Works on any executor; on one that is not
    /// tokio's, deadlines are watched by a thread of this crate.
    ///
    /// # Races
    ///
    /// - The context ends before the first poll: ready at once.
    /// - It ends while the future starts to wait: ready, or woken; there is no moment in
    ///   between at which the end is missed.
    /// - It is woken: [`err`](Context::err) has the outcome already, and every other way of
    ///   asking agrees.
    ///
    /// Go: `<-ctx.Done()`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future loses nothing, and a later one is ready at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    /// sender.send(1).await.unwrap();
    ///
    /// let mut sum = 0;
    /// loop {
    ///     tokio::select! {
    ///         biased;
    ///         _ = ctx.done() => break,
    ///         Some(number) = receiver.recv() => {
    ///             sum += number;
    ///             ctx.cancel();
    ///         }
    ///     }
    /// }
    /// assert_eq!(sum, 1);
    /// # }
    /// ```
    pub fn done(&self) -> Done<'_> {
        Done::new(self.lifetime.as_ref())
    }

    /// [`done`](Context::done) as a future that borrows nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`done`](Context::done) is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let waiter = tokio::spawn(ctx.done_owned());
    /// ctx.cancel_with("closing time");
    /// assert!(waiter.await.unwrap().to_string().contains("closing time"));
    /// # }
    /// ```
    pub fn done_owned(&self) -> DoneOwned {
        DoneOwned::new(self.lifetime.clone())
    }

    /// Runs `future` until it is finished or the context ends.
    ///
    /// Refuses to start when the context has ended. After that the future is always polled
    /// first, so a value that is finished wins over a cancel that comes at the same moment.
    /// When the context ends, the future is dropped where it stands, that is at an `await`.
    ///
    /// # Races
    ///
    /// - The context ends, and then `run` is polled for the first time: `Err`, and the future
    ///   was not polled.
    /// - The future is ready and the context ends, before the same poll: `Ok`.
    /// - The context ends while the future is pending: `Err`, and the future is dropped in the
    ///   poll that says so.
    ///
    /// # Errors
    ///
    /// The output is `Err` with why the context ended, when that was first.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `future` is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(50));
    /// assert_eq!(ctx.run(async { 7 }).await.unwrap(), 7);
    ///
    /// let slow = tokio::time::sleep(Duration::from_secs(1));
    /// assert!(ctx.run(slow).await.unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.done_owned(), future)
    }

    /// Runs `callback` once when the context ends; at once, before this returns, when it has
    /// ended.
    ///
    /// It runs on the thread that ends the context, or on the one that drives the timers, so it
    /// must be short: set a flag, interrupt a query, wake a task. No lock of ours is held while
    /// it runs, so it may use any context, this one included. A panic in it is logged and harms
    /// nothing else. Asking (`is_done`, `err`, `check`) never runs it: of a deadline that is first
    /// noticed by a question, it runs on a thread of this crate.
    ///
    /// # Deadlocks
    ///
    /// On a context that has ended the callback runs before this returns. If it takes a lock that
    /// the caller of `on_cancel` holds, the two wait for each other. Register before the lock is
    /// taken, or let the callback hand its work on instead of doing it: set a flag, send a
    /// message, wake a task. The same holds for [`cancel`](crate::CancelGuard::cancel) under a lock that
    /// a callback takes.
    ///
    /// Dropping the registration stops it. No task is made, and a context that is dropped
    /// without having ended takes its callbacks with it. A callback that holds the context it
    /// is registered on keeps it alive, until it ends or the registration is dropped.
    ///
    /// # Races
    ///
    /// - The context ends, and then the callback is registered: it has run when `on_cancel`
    ///   returns, and [`stop`](OnCancel::stop) says false.
    /// - `stop` says true, and then the context ends: it never runs, and what it held is
    ///   dropped.
    /// - Both at once: exactly one of the two wins. If `stop` says false, the callback ran, or
    ///   is running, or is about to, on the other thread; `stop` does not wait for it.
    /// - The registration and the end at once: it runs exactly once, on one of the two threads.
    ///
    /// Go: `context.AfterFunc`, which starts a goroutine per call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use tokio_ctx::Context;
    ///
    /// let interrupted = Arc::new(AtomicBool::new(false));
    /// let ctx = Context::background().with_cancel();
    /// let flag = Arc::clone(&interrupted);
    /// let registration = ctx.on_cancel(move |_why| flag.store(true, Ordering::Relaxed));
    ///
    /// ctx.cancel();
    /// assert!(interrupted.load(Ordering::Relaxed));
    /// assert!(!registration.stop(), "it ran, so there was nothing to prevent");
    /// ```
    #[track_caller]
    pub fn on_cancel(&self, callback: impl FnOnce(&Cancelled) + Send + 'static) -> OnCancel {
        let location = Location::caller();
        let root;
        let node = match &self.lifetime {
            Some(node) => node,
            // On a root it never runs: kept for what its drop may do, and stopping it prevents it.
            None => {
                root = Arc::new(Node::child(None, location));
                &root
            }
        };
        OnCancel(node.on_cancel(Box::new(callback), location))
    }

    /// A token that is cancelled when the context ends, for code that speaks tokens.
    ///
    /// Cancelling the token cancels nothing of ours. It lags behind
    /// [`is_done`](Context::is_done) by as long as the cancel takes to get there.
    ///
    /// The token does not keep the context alive: once nothing else does, its deadline no longer
    /// counts, and only the end of an ancestor still cancels the token. Hold the context,
    /// or something derived from it, for as long as the token is used.
    ///
    /// # Races
    ///
    /// - The context ends, and then `token` is called: the token is cancelled.
    /// - Both at once: the token is cancelled, now or when the cancel gets there.
    /// - The token is seen cancelled: [`err`](Context::err) has the outcome already.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// let token = ctx.token();
    /// ctx.cancel();
    /// assert!(token.is_cancelled());
    ///
    /// let other = Context::background().with_cancel();
    /// other.token().cancel();
    /// assert!(!other.is_done());
    /// ```
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let Some(node) = &self.lifetime else {
            return CancellationToken::new();
        };
        match node.armed_token() {
            Some(token) => token.child_token(),
            None => {
                let ended = CancellationToken::new();
                ended.cancel();
                ended
            }
        }
    }
}
