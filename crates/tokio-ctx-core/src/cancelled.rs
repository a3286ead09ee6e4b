//! Why a context ended: [`Cancelled`] and its [`Reason`].

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::foreign;
use crate::one_line::OneLine;

/// A cause that several holders share.
pub(crate) type SharedCause = Arc<dyn Error + Send + Sync>;

/// A text, or an error of any kind, as a cause.
pub(crate) fn shared(cause: impl Into<Box<dyn Error + Send + Sync>>) -> SharedCause {
    Arc::from(cause.into())
}

/// A place in the source.
pub(crate) type Place = &'static Location<'static>;

/// The error of everything that a context ended: what ended it, why, and where in the source.
///
/// Cheap to clone, and the same for every caller: the first outcome of a context is
/// its only one. The text is one line that says what happened and which line of code to look
/// at; [`source`](Error::source) is the cause given to
/// [`cancel_with`](crate::CancelGuard::cancel_with) or to one of the `_cause` constructors.
///
/// Go splits this in two, `ctx.Err()` (what) and `context.Cause(ctx)` (why). Here one value
/// answers both, so a cause cannot be forgotten.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, Reason};
///
/// let ctx = Context::background().with_cancel();
/// ctx.cancel_with("the disk is full");
///
/// let cancelled = ctx.err().unwrap();
/// assert_eq!(cancelled.reason(), Reason::Cancelled);
/// assert!(cancelled.to_string().starts_with("cancelled: the disk is full (at "));
/// assert_eq!(cancelled.location().file(), file!());
/// ```
///
/// It survives a journey through `?`:
///
/// ```
/// use tokio_ctx::{Cancelled, Context};
///
/// fn work(ctx: &Context) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     ctx.check()?;
///     Ok(())
/// }
///
/// let ctx = Context::background().with_cancel();
/// ctx.cancel();
/// let error = work(&ctx).unwrap_err();
/// assert!(error.downcast_ref::<Cancelled>().is_some());
/// ```
#[derive(Clone)]
pub struct Cancelled(Repr);

/// A plain reason needs no allocation; whatever has more to tell is shared.
#[derive(Clone)]
enum Repr {
    Plain(Reason, Place),
    Full(Arc<Facts>),
}

/// All that a [`Cancelled`] may have to tell.
pub(crate) struct Facts {
    pub(crate) reason: Reason,
    pub(crate) location: Place,
    pub(crate) after: Option<Duration>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) cause: Option<SharedCause>,
}

/// A cause is foreign, and its last holder may be anything that knows why a context ended.
impl Drop for Facts {
    fn drop(&mut self) {
        if let Some(cause) = self.cause.take() {
            foreign::release(cause);
        }
    }
}

/// What kind of event ended a context.
///
/// Decide by this (or by [`Cancelled::is_timeout`]), and show the whole [`Cancelled`] to
/// people. An application can give one to
/// [`cancel_with`](crate::CancelGuard::cancel_with), such as [`Shutdown`](Reason::Shutdown);
/// most are given by the crates that find them out.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, Reason};
///
/// let guard = Context::background().with_cancel();
/// let ctx = Context::clone(&guard);
/// drop(guard);
/// assert_eq!(ctx.err().unwrap().reason(), Reason::GuardDropped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// `cancel` or `cancel_with` was called.
    Cancelled,
    /// The last owner of the right to cancel dropped its guard.
    GuardDropped,
    /// A deadline passed.
    Deadline,
    /// The token given to [`Context::from_token`](crate::Context::from_token) was cancelled.
    Token,
    /// Too little time was left for the work: see [`Budget::at_least`](crate::Budget::at_least).
    BudgetExhausted,
    /// The future of a task scope was dropped before it was finished.
    ScopeDropped,
    /// A task scope is finished; what still uses its context outlived it.
    ScopeFinished,
    /// A task of the same scope failed.
    TaskFailed,
    /// A task of the same scope panicked.
    TaskPanicked,
    /// The runtime dropped the task before its end.
    TaskLost,
    /// The task was aborted after its grace.
    TaskAborted,
    /// The task was not started: its scope has a limit, which was reached.
    LimitReached,
    /// The task ended, or dropped what it says it by, without having said that it is ready.
    NeverReady,
    /// The process was asked to stop; the cause names the signal.
    Signal,
    /// The server shuts down.
    Shutdown,
    /// The client of a request went away.
    CallerGone,
    /// The response to a request is done.
    RequestFinished,
}

impl Cancelled {
    #[inline]
    pub(crate) fn new(reason: Reason, location: Place, cause: Option<SharedCause>) -> Cancelled {
        match cause {
            None => Cancelled(Repr::Plain(reason, location)),
            cause => Cancelled::full(Facts {
                reason,
                location,
                after: None,
                name: None,
                cause,
            }),
        }
    }

    pub(crate) fn full(facts: Facts) -> Cancelled {
        Cancelled(Repr::Full(Arc::new(facts)))
    }

    /// What a cancel was given: a reason, or a cause, which goes with [`Reason::Cancelled`].
    pub(crate) fn because(cause: Box<dyn Error + Send + Sync>, location: Place) -> Cancelled {
        match cause.downcast::<Reason>() {
            Ok(reason) => Cancelled::new(*reason, location, None),
            Err(cause) => Cancelled::new(Reason::Cancelled, location, Some(shared(cause))),
        }
    }

    /// Whether a deadline passed, as opposed to an explicit cancel.
    pub(crate) fn is_of_deadline(&self) -> bool {
        self.after().is_some()
    }

    /// The same with `name`, unless it has one.
    #[cold]
    #[expect(clippy::ptr_arg, reason = "cloned here, where it is cold")]
    pub(crate) fn with_name(self, name: &Cow<'static, str>) -> Cancelled {
        if self.name().is_some() {
            return self;
        }
        Cancelled::full(Facts {
            reason: self.reason(),
            location: self.location(),
            after: self.after(),
            name: Some(name.clone()),
            cause: self.facts().and_then(|facts| facts.cause.clone()),
        })
    }

    fn facts(&self) -> Option<&Facts> {
        match &self.0 {
            Repr::Plain(..) => None,
            Repr::Full(facts) => Some(facts),
        }
    }

    /// What kind of event it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Context, Reason};
    ///
    /// let ctx = Context::background().with_timeout(Duration::ZERO);
    /// assert_eq!(ctx.err().unwrap().reason(), Reason::Deadline);
    /// ```
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.0 {
            Repr::Plain(reason, _) => *reason,
            Repr::Full(facts) => facts.reason,
        }
    }

    /// Whether time ran out: a deadline passed, or a budget was too small.
    ///
    /// Go: `DeadlineExceeded` answers `Timeout() == true`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_timeout(Duration::ZERO);
    /// assert!(ctx.err().unwrap().is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.reason(), Reason::Deadline | Reason::BudgetExhausted)
    }

    /// The line that cancelled, or that set the deadline, or that made the guard or adopted
    /// the token that did.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// let line = line!() + 1;
    /// ctx.cancel();
    /// assert_eq!(ctx.err().unwrap().location().line(), line);
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        match &self.0 {
            Repr::Plain(_, location) => location,
            Repr::Full(facts) => facts.location,
        }
    }

    /// The time that was allowed, from the setting of the deadline to the deadline; `None`
    /// when it was no deadline that ended the context.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(250));
    /// assert_eq!(ctx.done().await.after(), Some(Duration::from_millis(250)));
    /// # }
    /// ```
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        self.facts()?.after
    }

    /// The name of the context that ended, if it or an ancestor has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let checkout = Context::background().with_name("checkout").with_cancel();
    /// checkout.cancel();
    /// assert_eq!(checkout.err().unwrap().name(), Some("checkout"));
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.facts()?.name.as_deref()
    }

    /// The cause, if it is a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel_with(io::Error::other("disk full"));
    /// let cancelled = ctx.err().unwrap();
    /// assert_eq!(cancelled.cause::<io::Error>().unwrap().to_string(), "disk full");
    /// assert!(cancelled.cause::<std::fmt::Error>().is_none());
    /// ```
    #[must_use]
    pub fn cause<T: Error + 'static>(&self) -> Option<&T> {
        self.facts()?.cause.as_deref()?.downcast_ref()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            write!(f, "in context {name:?}: ")?;
        }
        match (self.reason(), self.after()) {
            (Reason::Deadline, Some(after)) => write!(f, "deadline of {after:?} exceeded")?,
            (reason, _) => write!(f, "{reason}")?,
        }
        if let Some(cause) = self.source() {
            write!(f, ": {}", OneLine(cause))?;
        }
        write!(
            f,
            " ({} {})",
            self.reason().location_means(),
            self.location()
        )
    }
}

/// For [`cancel_with`](crate::CancelGuard::cancel_with), which takes a reason as well as a cause.
impl Error for Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Cancelled => "cancelled",
            Reason::GuardDropped => "cancelled because its guard was dropped",
            Reason::Deadline => "deadline exceeded",
            Reason::Token => "cancelled by a foreign token",
            Reason::BudgetExhausted => "too little time left to start",
            Reason::ScopeDropped => "cancelled because its scope was dropped unfinished",
            Reason::ScopeFinished => "its scope is finished",
            Reason::TaskFailed => "cancelled because a task of the scope failed",
            Reason::TaskPanicked => "cancelled because a task of the scope panicked",
            Reason::TaskLost => "task dropped by its runtime before its end",
            Reason::TaskAborted => "task aborted after its grace",
            Reason::LimitReached => "task not started: the limit of its scope is reached",
            Reason::NeverReady => "the task never said that it is ready",
            Reason::Signal => "cancelled by a signal",
            Reason::Shutdown => "cancelled because the server shuts down",
            Reason::CallerGone => "cancelled because the caller went away",
            Reason::RequestFinished => "the request is finished",
        })
    }
}

impl Reason {
    /// How a person is to read the location.
    fn location_means(self) -> &'static str {
        match self {
            Reason::Deadline => "set at",
            Reason::GuardDropped => "keep the guard made at",
            Reason::Token => "token adopted at",
            Reason::ScopeDropped | Reason::ScopeFinished => "scope at",
            Reason::TaskFailed
            | Reason::TaskPanicked
            | Reason::TaskLost
            | Reason::TaskAborted
            | Reason::LimitReached
            | Reason::NeverReady => "task spawned at",
            Reason::Signal => "watched at",
            _ => "at",
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Cancelled");
        debug.field("reason", &self.reason());
        if let Some(name) = self.name() {
            debug.field("name", &name);
        }
        if let Some(after) = self.after() {
            debug.field("after", &after);
        }
        if let Some(cause) = self.source() {
            debug.field("cause", &OneLine(cause));
        }
        debug
            .field("location", &format_args!("{}", self.location()))
            .finish()
    }
}

/// A cause is only ever read.
impl UnwindSafe for Cancelled {}
/// A cause is only ever read.
impl RefUnwindSafe for Cancelled {}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.facts()?.cause.as_deref()?;
        Some(cause)
    }
}

/// `TimedOut` where time ran out, `Interrupted` otherwise, with the [`Cancelled`] inside.
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> io::Error {
        let kind = match cancelled.is_timeout() {
            true => io::ErrorKind::TimedOut,
            false => io::ErrorKind::Interrupted,
        };
        io::Error::new(kind, cancelled)
    }
}
