//! The registration of a callback: [`OnCancel`].

use std::fmt;

use crate::cancelled::Cancelled;
use crate::foreign;
use crate::node::Registration;
use crate::sync::Mutex;

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
pub struct OnCancel(Kind);

enum Kind {
    /// Ran, was stopped, or was disarmed.
    Over,
    Waiting(Registration),
    /// On a context that nothing can end: kept only for what its drop may do. In a mutex so that
    /// the registration can be shared, though the callback cannot.
    Never(Mutex<Callback>),
}

type Callback = Box<dyn FnOnce(&Cancelled) + Send>;

impl OnCancel {
    pub(crate) fn never(callback: Callback) -> OnCancel {
        OnCancel(Kind::Never(Mutex::new(callback)))
    }

    pub(crate) fn of(registration: Option<Registration>) -> OnCancel {
        OnCancel(registration.map_or(Kind::Over, Kind::Waiting))
    }

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
        self.stop_now()
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
        if let Kind::Never(callback) = std::mem::replace(&mut self.0, Kind::Over) {
            discard(callback);
        }
    }

    fn stop_now(&mut self) -> bool {
        match std::mem::replace(&mut self.0, Kind::Over) {
            Kind::Over => false,
            Kind::Waiting(registration) => registration.stop(),
            Kind::Never(callback) => {
                discard(callback);
                true
            }
        }
    }
}

fn discard(callback: Mutex<Callback>) {
    foreign::nested(move || foreign::discard(callback));
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        self.stop_now();
    }
}

impl fmt::Debug for OnCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Over => "OnCancel(over)",
            Kind::Waiting(_) => "OnCancel(waiting)",
            Kind::Never(_) => "OnCancel(never)",
        })
    }
}
