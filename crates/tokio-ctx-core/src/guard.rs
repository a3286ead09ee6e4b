//! The right to end a context: [`CancelGuard`] and [`CancelHandle`].

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::cancelled::{Cancelled, Reason};
use crate::context::Context;
use crate::node::{Extra, Node};
use crate::sync::clock;

/// A context, and the right to end it; dropping it ends the context.
///
/// It derefs to [`Context`], so it is passed on as `&guard` and derived from like any
/// context: a function that receives it has no right to end it. One value holds both because a
/// pair could be taken apart by accident. Keep it in a named variable for as long as the work
/// lasts; what is cancelled because the guard was a temporary says so, with the line that
/// made it.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, Reason};
///
/// let child;
/// {
///     let guard = Context::background().with_cancel();
///     child = Context::clone(&guard);
///     assert!(!child.is_done());
/// }
/// assert_eq!(child.err().unwrap().reason(), Reason::GuardDropped);
/// ```
#[must_use = "the context ends when its guard is dropped: keep the guard in a named variable, or call `disarm`"]
pub struct CancelGuard {
    context: Context,
    /// What to end; `None` for the lifetime of `context`, as long as nothing was built on it.
    target: Option<Arc<Node>>,
}

/// Deriving what can be ended.
impl Context {
    /// A child that its guard can end.
    ///
    /// The guard derefs to the context and ends it when it is dropped, with
    /// [`Reason::GuardDropped`] and the line of this call. Bind it to a name that lives as
    /// long as the work does.
    ///
    /// Go: `context.WithCancel` and `context.WithCancelCause`, whose cancel function must be
    /// called on every path.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let parent = Context::background().with_cancel();
    /// let child = parent.with_cancel();
    /// assert!(child.cancel());
    /// assert!(child.is_done() && !parent.is_done());
    /// ```
    #[track_caller]
    pub fn with_cancel(&self) -> CancelGuard {
        let node = Node::child(self.lifetime.as_ref(), Location::caller());
        CancelGuard::new(self.living(Some(Arc::new(node))))
    }

    /// A child with a guard and, in the same node, a deadline if there is to be one.
    pub(crate) fn begin(
        &self,
        after: Option<Duration>,
        cause: Option<Arc<Extra>>,
        location: &'static Location<'static>,
    ) -> CancelGuard {
        let limited = after.and_then(|after| {
            let now = clock::now();
            self.deadline_node(clock::later(now, after), now, cause, location)
        });
        let node =
            limited.unwrap_or_else(|| Arc::new(Node::child(self.lifetime.as_ref(), location)));
        CancelGuard::new(self.living(Some(node)))
    }
}

impl CancelGuard {
    pub(crate) fn new(context: Context) -> CancelGuard {
        CancelGuard {
            context,
            target: None,
        }
    }

    fn target(&self) -> Option<&Arc<Node>> {
        self.target.as_ref().or(self.context.lifetime.as_ref())
    }

    /// Ends the context. Returns whether it did: `false` when it had ended before.
    ///
    /// Never blocks, and does not wait for the work to stop. When it returns `true`, the context
    /// and all that was derived from it say that they ended, their waiters are woken and their
    /// callbacks have run. With `false` they say so as well, but the call that came first may
    /// still be waking them.
    ///
    /// Never panics: what a callback or a waker panics with is caught and logged. A waker that
    /// panics can take other wake-ups with it, since tokio then gives up its list of waiters;
    /// code that asks still sees the end.
    ///
    /// A callback may cancel another context, whose callback cancels the next one, without a
    /// limit and without filling the stack. From sixteen levels on, the callbacks of the inner
    /// contexts run a little later: when the outermost `cancel` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.cancel());
    /// assert!(!ctx.cancel());
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        let cancelled = Cancelled::new(Reason::Cancelled, Location::caller(), None);
        self.target().is_some_and(|node| node.cancel(cancelled))
    }

    /// Ends the context with a cause: a text, an error of any kind, or a [`Reason`].
    ///
    /// A text or an error is what people read; the reason is then [`Reason::Cancelled`]. A
    /// `Reason` is what programs decide by, and takes that one's place: a server that stops
    /// says [`Reason::Shutdown`], one whose client hung up [`Reason::CallerGone`].
    ///
    /// Two causes never mix. Of two threads that cancel the same context, one gets `true`,
    /// and every reader gets that one's cause; likewise with a parent's cancel, see
    /// [`Context`](Context#what-is-atomic).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, Reason};
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.cancel_with("quota used up"));
    /// assert!(!ctx.cancel_with("too late"));
    /// assert!(ctx.err().unwrap().to_string().contains("quota used up"));
    ///
    /// let server = Context::background().with_cancel();
    /// server.cancel_with(Reason::Shutdown);
    /// assert_eq!(server.err().unwrap().reason(), Reason::Shutdown);
    /// ```
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> bool {
        let cancelled = Cancelled::because(cause.into(), Location::caller());
        self.target().is_some_and(|node| node.cancel(cancelled))
    }

    /// A right to end the context that can be cloned and sent, and whose drop ends nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// let handle = ctx.handle();
    /// std::thread::spawn(move || handle.cancel()).join().unwrap();
    /// assert!(ctx.is_done());
    /// ```
    #[inline]
    #[must_use]
    pub fn handle(&self) -> CancelHandle {
        CancelHandle::new(self.target().cloned())
    }

    /// The context without its guard: it then ends with its parent, or by a handle.
    ///
    /// tokio-util: `DropGuard::disarm`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let parent = Context::background().with_cancel();
    /// let child = parent.with_cancel().disarm();
    /// assert!(!child.is_done());
    /// parent.cancel();
    /// assert!(child.is_done());
    /// ```
    #[inline]
    #[must_use]
    pub fn disarm(mut self) -> Context {
        // What is left of `self` is dropped here, and must have nothing to end.
        self.target = None;
        std::mem::take(&mut self.context)
    }

    /// Builds on the context without giving up the guard, which goes on ending what it ended
    /// before, and with it what was built.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { User: u32 }
    ///
    /// let ctx = Context::background()
    ///     .with_cancel()
    ///     .map(|ctx| ctx.with_value::<User>(7).with_timeout(Duration::from_secs(1)));
    /// assert_eq!(ctx.value::<User>(), Some(&7));
    /// assert!(ctx.cancel());
    /// assert!(ctx.is_done());
    /// ```
    pub fn map(mut self, build: impl FnOnce(&Context) -> Context) -> CancelGuard {
        let built = build(&self.context);
        // Taken out whole: what is left of `self` is dropped here, and must have nothing to end.
        let mut before = std::mem::take(&mut self.context);
        let target = self.target.take().or(before.lifetime.take());
        CancelGuard {
            context: built,
            target,
        }
    }
}

impl Deref for CancelGuard {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// As [`Context`] is.
impl UnwindSafe for CancelGuard {}
/// As [`Context`] is.
impl RefUnwindSafe for CancelGuard {}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(node) = self.target() {
            node.cancel(Cancelled::new(Reason::GuardDropped, node.made_at, None));
        }
    }
}

impl fmt::Debug for CancelGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelGuard({:?})", self.context)
    }
}

/// A right to end a context that can be cloned and sent; dropping it ends nothing.
///
/// Made by [`CancelGuard::handle`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
///
/// let ctx = Context::background().with_cancel();
/// let handle = ctx.handle();
/// drop(handle.clone());
/// assert!(!ctx.is_done());
/// assert!(handle.cancel_with("by the operator"));
/// ```
#[derive(Clone)]
pub struct CancelHandle(Context);

impl CancelHandle {
    /// Ends the context, as [`CancelGuard::cancel`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.handle().cancel());
    /// assert!(ctx.is_done());
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_as(Cancelled::new(Reason::Cancelled, Location::caller(), None))
    }

    /// Ends the context with a cause, as [`CancelGuard::cancel_with`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.handle().cancel_with("over"));
    /// assert!(ctx.err().unwrap().to_string().contains("over"));
    /// ```
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> bool {
        self.cancel_as(Cancelled::because(cause.into(), Location::caller()))
    }

    pub(crate) fn new(lifetime: Option<Arc<Node>>) -> CancelHandle {
        CancelHandle(Context {
            lifetime,
            values: None,
        })
    }

    /// What it can end, without values.
    #[inline]
    pub(crate) fn context(&self) -> &Context {
        &self.0
    }

    pub(crate) fn cancel_as(&self, cancelled: Cancelled) -> bool {
        let node = self.0.lifetime.as_ref();
        node.is_some_and(|node| node.cancel(cancelled))
    }
}

/// As [`Context`] is.
impl UnwindSafe for CancelHandle {}
/// As [`Context`] is.
impl RefUnwindSafe for CancelHandle {}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelHandle({:?})", self.0)
    }
}
