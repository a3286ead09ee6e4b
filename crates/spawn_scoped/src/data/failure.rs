//! How a task failed: the kinds, and what is kept and shown of each failure.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Reason, owner};
use tracing::Level;

use crate::data::config::Describe;
use crate::data::entry::Who;
use crate::data::text::one_line;
use crate::foreign;

/// The payload of a panic.
pub(crate) type Payload = Box<dyn Any + Send>;

/// An error whose type only the typed ends of the scope know.
pub(crate) type ErasedError = Box<dyn Any + Send>;

/// Names the task that failed: the cause with which its scope cancels the rest.
///
/// Its [`reason`](TaskFailure::reason) says how it ended: an error
/// ([`TaskFailed`](Reason::TaskFailed)), a panic ([`TaskPanicked`](Reason::TaskPanicked)), dropped
/// by its runtime ([`TaskLost`](Reason::TaskLost)), aborted after the grace
/// ([`TaskAborted`](Reason::TaskAborted)), or not started because of the limit
/// ([`LimitReached`](Reason::LimitReached)).
///
/// The error itself becomes the result of the scope, so it cannot be in here as
/// well; its text is, where the scope could know it: for a boxed error, an
/// [`io::Error`](std::io::Error) or a [`Cancelled`], and for any other error
/// type when [`ScopeOptions::describe`](crate::ScopeOptions::describe) says how.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, Reason, TaskFailure, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background();
/// let result: Result<(), std::io::Error> = scope(&ctx, async |s| {
///     s.spawn(async |_| Err::<(), _>(std::io::Error::other("disk full")));
///     let cancelled: Cancelled = s.context().done().await;
///     assert_eq!(cancelled.reason(), Reason::TaskFailed);
///     let failure = cancelled.cause::<TaskFailure>().unwrap();
///     assert_eq!(failure.message(), Some("disk full"));
///     assert_eq!(failure.location().file(), file!());
///     Ok(())
/// })
/// .await;
/// assert_eq!(result.unwrap_err().to_string(), "disk full");
/// # }
/// ```
#[derive(Clone)]
pub struct TaskFailure(Arc<Facts>);

struct Facts {
    who: Who,
    reason: Reason,
    message: Option<String>,
}

impl TaskFailure {
    pub(crate) fn new(who: &Who, reason: Reason, message: Option<String>) -> Self {
        Self(Arc::new(Facts {
            who: who.clone(),
            reason,
            message,
        }))
    }

    /// What the code that awaits the task gets.
    pub(crate) fn cancelled(&self) -> Cancelled {
        let cause = Some(Arc::new(self.clone()) as _);
        owner::cancelled(self.reason(), self.location(), cause)
    }

    /// Writes it to the log, of a task of `scope` if that is known.
    pub(crate) fn log(&self, level: Level, scope: Option<&str>, what: &str) {
        let is_panic = self.reason() == Reason::TaskPanicked;
        let (panic, error) = match is_panic {
            true => (self.message(), None),
            false => (None, self.message()),
        };
        macro_rules! write {
            ($level:ident) => {
                tracing::event!(
                    Level::$level,
                    scope,
                    task = self.name(),
                    spawned_at = %self.location(),
                    error,
                    panic,
                    "{what}",
                )
            };
        }
        foreign::log(|| match level {
            Level::ERROR => write!(ERROR),
            Level::WARN => write!(WARN),
            _ => write!(DEBUG),
        });
    }

    /// Whether this is the same failure, and not only a like one.
    pub(crate) fn is(&self, other: &TaskFailure) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How it ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, TaskFailure, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let failed: Result<(), Cancelled> = scope(&Context::background(), async |s| {
    ///     let task = s.task().name("parse").spawn(async |ctx| {
    ///         ctx.check()?;
    ///         Err::<(), _>(bad_input())
    ///     });
    ///     let why = task.await.unwrap_err();
    ///     let failure = why.cause::<TaskFailure>().unwrap();
    ///     assert_eq!(failure.reason(), Reason::TaskFailed);
    ///     Err(why)
    /// })
    /// .await;
    /// assert!(failed.is_err());
    /// # }
    /// # fn bad_input() -> Cancelled {
    /// #     let ctx = Context::background().with_cancel();
    /// #     ctx.cancel_with("bad input");
    /// #     ctx.err().unwrap()
    /// # }
    /// ```
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The name it was given, if any, escaped to one line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, TaskFailure, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let failed: Result<(), Cancelled> = scope(&Context::background(), async |s| {
    ///     let task = s.task().name("parse").spawn(async |ctx| {
    ///         ctx.check()?;
    ///         Err::<(), _>(bad_input())
    ///     });
    ///     let why = task.await.unwrap_err();
    ///     let failure = why.cause::<TaskFailure>().unwrap();
    ///     assert_eq!(failure.name(), Some("parse"));
    ///     Err(why)
    /// })
    /// .await;
    /// assert!(failed.is_err());
    /// # }
    /// # fn bad_input() -> Cancelled {
    /// #     let ctx = Context::background().with_cancel();
    /// #     ctx.cancel_with("bad input");
    /// #     ctx.err().unwrap()
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.who.name()
    }

    /// The line that spawned it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, TaskFailure, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let failed: Result<(), Cancelled> = scope(&Context::background(), async |s| {
    ///     let task = s.task().name("parse").spawn(async |ctx| {
    ///         ctx.check()?;
    ///         Err::<(), _>(bad_input())
    ///     });
    ///     let why = task.await.unwrap_err();
    ///     let failure = why.cause::<TaskFailure>().unwrap();
    ///     assert_eq!(failure.location().file(), file!());
    ///     Err(why)
    /// })
    /// .await;
    /// assert!(failed.is_err());
    /// # }
    /// # fn bad_input() -> Cancelled {
    /// #     let ctx = Context::background().with_cancel();
    /// #     ctx.cancel_with("bad input");
    /// #     ctx.err().unwrap()
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0.who.location
    }

    /// The text of the error or of the panic, where it could be known, escaped to one line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, TaskFailure, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let failed: Result<(), Cancelled> = scope(&Context::background(), async |s| {
    ///     let task = s.task().name("parse").spawn(async |ctx| {
    ///         ctx.check()?;
    ///         Err::<(), _>(bad_input())
    ///     });
    ///     let why = task.await.unwrap_err();
    ///     let failure = why.cause::<TaskFailure>().unwrap();
    ///     assert!(failure.message().unwrap().contains("bad input"));
    ///     Err(why)
    /// })
    /// .await;
    /// assert!(failed.is_err());
    /// # }
    /// # fn bad_input() -> Cancelled {
    /// #     let ctx = Context::background().with_cancel();
    /// #     ctx.cancel_with("bad input");
    /// #     ctx.err().unwrap()
    /// # }
    /// ```
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task ")?;
        if let Some(name) = self.name() {
            write!(f, "`{name}` ")?;
        }
        f.write_str(match self.reason() {
            Reason::TaskPanicked => "panicked",
            Reason::TaskLost => "was lost: its runtime dropped it before its end",
            Reason::TaskAborted => "was aborted: it did not end within the grace",
            Reason::LimitReached => "was refused",
            _ => "failed",
        })?;
        match self.message() {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFailure")
            .field("reason", &self.reason())
            .field("name", &self.name())
            .field("location", &format_args!("{}", self.location()))
            .field("message", &self.message())
            .finish()
    }
}

impl Error for TaskFailure {}

/// The text of a panic, where it has one.
pub(crate) fn panic_message(payload: &Payload) -> Option<String> {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => Cow::Borrowed(*text),
        None => payload.downcast_ref::<String>()?.clone().into(),
    };
    Some(one_line(text).into_owned())
}

/// The text of an error: what `describe` makes, or else that of a type that many scopes use.
pub(crate) fn message(error: &(dyn Any + Send), describe: Option<&Describe>) -> Option<String> {
    if let Some(describe) = describe {
        return describe(error);
    }
    #[cfg(feature = "anyhow")]
    if let Some(error) = error.downcast_ref::<anyhow::Error>() {
        return Some(format!("{error:#}"));
    }
    well_known(error).map(ToString::to_string)
}

/// Whether an error whose type many scopes use says that its task was cancelled, itself or
/// through its sources. `None` for other types.
pub(crate) fn well_known_to_say_cancelled(error: &(dyn Any + Send)) -> Option<bool> {
    well_known(error).map(has_cancelled)
}

/// An error whose type many scopes use.
fn well_known<'e>(error: &'e (dyn Any + Send)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    #[cfg(feature = "anyhow")]
    if let Some(error) = error.downcast_ref::<anyhow::Error>() {
        return Some(error.as_ref());
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return Some(error);
    }
    let error = error.downcast_ref::<Cancelled>()?;
    Some(error)
}

fn has_cancelled(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| match inside(error) {
        Some(inner) => Some(inner),
        None => error.source(),
    })
    .any(<dyn Error>::is::<Cancelled>)
}

/// What is in an I/O error, whose source is the source of that.
fn inside<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    Some(inner)
}
