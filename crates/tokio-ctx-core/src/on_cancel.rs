//! The registration of a callback: [`OnCancel`].

use std::fmt;

use crate::node::Registration;

/// The registration of a callback by [`Context::on_cancel`](crate::Context::on_cancel);
/// dropping it stops the callback.
///
/// The registration keeps the context's lifetime alive, so that
/// `ctx.with_timeout(limit).on_cancel(…)` fires.
///
/// # Comparison to Go
///
/// `context.AfterFunc` returns a `stop` function that is easily lost, or deferred by mistake.
/// Here losing the registration means stopping it, which the compiler warns about; say
/// [`disarm`](OnCancel::disarm) to mean the opposite.
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
///
/// let ctx = Context::background().with_cancel();
/// let registration = ctx.on_cancel(|_| unreachable!("it was stopped"));
/// assert!(registration.stop());
/// ctx.cancel();
/// ```
#[must_use = "dropping the registration stops the callback: keep it, or call `disarm`"]
pub struct OnCancel(
    /// `None` once it ran, was stopped, or was disarmed.
    pub(crate) Option<Registration>,
);

impl OnCancel {
    /// Stops the callback. Returns whether that prevented it: `false` when it ran, or is
    /// about to on another thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// let registration = ctx.on_cancel(|_| {});
    /// ctx.cancel();
    /// assert!(!registration.stop());
    /// ```
    pub fn stop(mut self) -> bool {
        self.0.take().is_some_and(Registration::stop)
    }

    /// Keeps the callback for the life of the context: it can no longer be stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tokio_ctx::Context;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let ctx = Context::background().with_cancel();
    /// ctx.on_cancel(move |_| sender.send("bye").unwrap()).disarm();
    /// ctx.cancel();
    /// assert_eq!(receiver.recv(), Ok("bye"));
    /// ```
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        self.0.take().map(Registration::stop);
    }
}

impl fmt::Debug for OnCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "OnCancel(over)",
            Some(_) => "OnCancel(waiting)",
        })
    }
}
