//! The handle of one task: [`Task`].

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio_ctx_core::{Cancelled, Reason};

use crate::data::entry::Who;
use crate::data::failure::TaskFailure;
use crate::foreign::{drop_quietly, log};
use crate::rt::{Gone, JoinHandle};
use crate::state::shared::Shared;
use crate::task::report::Report;

/// Awaits the value of one task of a scope.
///
/// It holds no right over the task: dropping it neither stops the task nor lets the scope
/// return without it.
///
/// # Errors
///
/// [`Cancelled`], when the task has no value to give:
///
/// * it failed or panicked: reason [`TaskFailed`](Reason::TaskFailed) or
///   [`TaskPanicked`](Reason::TaskPanicked), at the line that spawned it, with a
///   [`TaskFailure`] as cause; the error itself is the result of the scope;
/// * it failed or was dropped because its context had ended: why that ended;
/// * its runtime dropped it ([`TaskLost`](Reason::TaskLost)), or it was aborted after the
///   grace ([`TaskAborted`](Reason::TaskAborted));
/// * it was refused, because the scope was over, its context had ended, or its
///   [limit](crate::ScopeOptions::limit) was reached ([`LimitReached`](Reason::LimitReached)).
///
/// A refusal that is not awaited is logged as a warning.
///
/// With `?` in the body, such an error is at most a secondary one: it never replaces the
/// error of the task.
///
/// # Cancel safety
///
/// Awaiting `&mut task` in `select!` loses nothing. A value that was never awaited is dropped.
///
/// # Panics
///
/// When polled again after it was ready, as any future.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sum = scope(&Context::background(), async |s| {
///     let one = s.spawn(async |_| Ok::<_, Cancelled>(1));
///     let two = s.spawn(async |_| Ok(2));
///     Ok(one.await? + two.await?)
/// })
/// .await;
/// assert_eq!(sum.unwrap(), 3);
/// # }
/// ```
pub struct Task<T> {
    state: State<T>,
    who: Who,
    /// Only for scopes that abort: tells an abort from a dying runtime.
    scope: Option<Arc<Shared>>,
    /// Of an isolated task.
    report: Option<Arc<Report>>,
}

enum State<T> {
    Running(JoinHandle<Result<T, Cancelled>>),
    /// Why. Dropped unseen, it says so in the log.
    Refused(Cancelled),
    Taken,
}

impl<T> Task<T> {
    #[inline]
    pub(crate) fn running(
        handle: JoinHandle<Result<T, Cancelled>>,
        who: Who,
        scope: Option<Arc<Shared>>,
        report: Option<Arc<Report>>,
    ) -> Self {
        Self {
            state: State::Running(handle),
            who,
            scope,
            report,
        }
    }

    pub(crate) fn refused(why: Cancelled, who: Who) -> Self {
        Self {
            state: State::Refused(why),
            who,
            scope: None,
            report: None,
        }
    }

    /// The name it was given, if any, escaped to one line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     assert_eq!(task.name(), Some("flush"));
    ///     task.await
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.who.name()
    }

    /// The line that spawned it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let next_line = line!() + 1;
    ///     let task = s.spawn(async |_| Ok::<_, Cancelled>(1));
    ///     assert_eq!(task.location().line(), next_line);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.who.location
    }

    /// Whether it is over, well or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let mut task = s.spawn(async |_| Ok::<_, Cancelled>(1));
    ///     assert!(!task.is_finished());
    ///     assert_eq!((&mut task).await?, 1);
    ///     assert!(task.is_finished());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.state {
            State::Running(handle) => handle.is_finished(),
            State::Refused(_) | State::Taken => true,
        }
    }

    fn dropped(&self) -> Cancelled {
        let scope = self.scope.as_ref();
        self.without_value(
            match scope.is_some_and(|scope| scope.ledger.is_aborting()) {
                true => Reason::TaskAborted,
                false => Reason::TaskLost,
            },
        )
    }

    fn without_value(&self, reason: Reason) -> Cancelled {
        TaskFailure::new(&self.who, reason, None).cancelled()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = match &mut self.state {
            State::Running(handle) => ready!(handle.poll_joined(cx)),
            State::Refused(why) => Ok(Err(why.clone())),
            State::Taken => panic!("a task was polled after it was ready"),
        };
        self.state = State::Taken;
        if let Some(report) = self.report.take() {
            report.mark_seen();
        }
        Poll::Ready(match joined {
            Ok(result) => result,
            Err(Gone::Dropped) => Err(self.dropped()),
            Err(Gone::Panicked(payload)) => {
                drop_quietly(payload);
                Err(self.without_value(Reason::TaskPanicked))
            }
        })
    }
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        if let State::Refused(why) = &self.state {
            log_refusal(&self.who, why);
        }
    }
}

#[cold]
fn log_refusal(who: &Who, why: &Cancelled) {
    log(|| {
        tracing::warn!(
            task = who.name(),
            spawned_at = %who.location,
            %why,
            "a task was refused, and nobody looked at its handle",
        );
    });
}

// Nothing in it is pinned: the value arrives by move.
impl<T> Unpin for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name())
            .field("location", &format_args!("{}", self.location()))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
