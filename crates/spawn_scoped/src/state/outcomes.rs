//! How tasks and bodies end, as the scope takes note of it.

use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Reason};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::data::entry::Who;
use crate::data::failure::{ErasedError, Payload, TaskFailure, message, panic_message};
use crate::data::text::{Name, one_line};
use crate::foreign::{drop_quietly, quietly};
use crate::state::failures::Surplus;
use crate::state::shared::Shared;

/// Whether the text of an error that came after the end may be written to a log. A thousand tasks
/// that end with their context would otherwise each write a text that nobody reads.
fn is_logged() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

impl Shared {
    /// The scope whose result a failure in here belongs to.
    fn foreground(self: &Arc<Self>) -> Option<Arc<Shared>> {
        match &self.cold.lock().foreground {
            None => Some(self.clone()),
            Some(scope) => scope.upgrade(),
        }
    }

    /// A task returned an error, which may be of no more matter. Returns what the code that awaits
    /// it gets.
    pub(crate) fn task_failed(
        self: &Arc<Self>,
        who: &Who,
        error: ErasedError,
        matters: bool,
    ) -> Cancelled {
        let supervises = self.config().supervise;
        // A task that fails after the end of its context failed because of it.
        let ended = self.context().err();
        let is_read = ended.is_none() || supervises || is_logged();
        let message = is_read.then(|| self.describe(&error)).flatten();
        let failure = TaskFailure::new(who, Reason::TaskFailed, message);
        let cancelled = failure.cancelled();
        let was_asked = self.cold.lock().failures.enough;
        let decides = matters && !supervises && !was_asked;
        let Some(scope) = self.foreground() else {
            let message = self.describe(&error);
            let unseen = Surplus::Unseen(error);
            self.log_surplus(&unseen, &TaskFailure::new(who, Reason::TaskFailed, message));
            drop_quietly(unseen);
            return ended.unwrap_or(cancelled);
        };
        let only_cancelled = match scope.context().err() {
            Some(ended) => self.says_cancelled(&error, &ended),
            None => false,
        };
        // Only the error that decides cancels, so that the result of the scope
        // and the cause of its end are the same failure.
        let (ends, surplus) = {
            let failures = &mut scope.cold.lock().failures;
            let (is_primary, surplus) = failures.add_error(error, who, only_cancelled, decides);
            let ends = is_primary && ended.is_none() && failures.is_first_to_end(&cancelled);
            (ends, surplus)
        };
        match &surplus {
            Surplus::Late if supervises => {
                failure.log(Level::WARN, scope.name(), "a supervised task failed");
            }
            // A failure of a task that was asked to stop is not reported.
            Surplus::Unseen(_) if ended.is_some() => scope.log_late(&failure),
            surplus => scope.log_surplus(surplus, &failure),
        }
        drop_quietly(surplus);
        if ends {
            scope.end(cancelled.clone());
        }
        ended.unwrap_or(cancelled)
    }

    /// Whether `error` only says that its task was cancelled, as far as that can be known.
    pub(crate) fn says_cancelled(&self, error: &ErasedError, ended: &Cancelled) -> bool {
        let describe = self.config().describe.as_ref();
        quietly(|| (self.says_cancelled)(&**error, ended, describe)).unwrap_or_default()
    }

    /// A clean-up returned an error of the scope's type.
    pub(crate) fn clean_up_failed(self: &Arc<Self>, who: &Who, error: ErasedError) -> Cancelled {
        let failure = TaskFailure::new(who, Reason::TaskFailed, self.describe(&error));
        let surplus = self.cold.lock().failures.add_clean_up(error, who);
        self.log_surplus(&surplus, &failure);
        drop_quietly(surplus);
        failure.cancelled()
    }

    /// A task panicked. Returns what the code that awaits it gets.
    pub(crate) fn task_panicked(self: &Arc<Self>, who: &Who, payload: Payload) -> Cancelled {
        let failure = TaskFailure::new(who, Reason::TaskPanicked, panic_message(&payload));
        let cancelled = failure.cancelled();
        failure.log(Level::ERROR, self.name(), "a task panicked");
        if let Some(scope) = self.foreground() {
            let (ends, surplus) = {
                let failures = &mut scope.cold.lock().failures;
                let surplus = failures.add_panic(payload);
                (failures.is_first_to_end(&cancelled), surplus)
            };
            drop_quietly(surplus);
            if ends {
                scope.end(cancelled.clone());
            }
        } else {
            drop_quietly(payload);
        }
        cancelled
    }

    /// A task was dropped before its end, by its runtime or by an abort.
    /// An isolated one is only reported.
    pub(crate) fn task_dropped(self: &Arc<Self>, who: &Who, isolated: bool) {
        let (reason, what) = match self.ledger.is_aborting() {
            true => (Reason::TaskAborted, "a task was aborted after its grace"),
            false => (Reason::TaskLost, "a task was dropped by its runtime"),
        };
        let failure = TaskFailure::new(who, reason, None);
        failure.log(Level::WARN, self.name(), what);
        if !isolated {
            self.task_lost(failure.cancelled());
        }
    }

    /// A task did not run, or not to its end, through no doing of its context.
    pub(crate) fn task_lost(self: &Arc<Self>, cancelled: Cancelled) {
        // A background task that was asked to stop may fail.
        let is_background = self.cold.lock().foreground.is_some();
        if is_background && self.cold.lock().failures.enough {
            return;
        }
        let Some(scope) = self.foreground() else {
            return;
        };
        let ends = {
            let failures = &mut scope.cold.lock().failures;
            let decides = match cancelled.reason() {
                Reason::TaskAborted => failures.add_abort(&cancelled),
                _ => failures.add_loss(&cancelled),
            };
            decides && !self.config().supervise && failures.is_first_to_end(&cancelled)
        };
        if ends {
            scope.end(cancelled);
        }
    }

    /// The end of its context kept a task from its end, or from its start.
    pub(crate) fn task_stopped(self: &Arc<Self>, cancelled: Cancelled) {
        let was_asked = self.cold.lock().failures.enough;
        if let (Some(scope), false) = (self.foreground(), was_asked) {
            let surplus = scope.cold.lock().failures.add_stopped(cancelled);
            drop(surplus);
        }
    }

    /// The body returned an error.
    pub(crate) fn body_failed(&self, error: ErasedError) {
        let ended = self.context().err();
        let ends = ended.is_none();
        let only_cancelled = ended.is_some_and(|ended| self.says_cancelled(&error, &ended));
        let message = ends.then(|| self.describe(&error)).flatten();
        let body = self.body();
        let failure = TaskFailure::new(&body, Reason::TaskFailed, message);
        let surplus = {
            let failures = &mut self.cold.lock().failures;
            failures.body_failed(error, body, only_cancelled)
        };
        drop_quietly(surplus);
        if ends {
            self.end(failure.cancelled());
        }
    }

    /// Whether a failure of this scope's own has ended it: then its body is of no more use.
    #[inline]
    pub(crate) fn is_ended_by_failure(&self) -> bool {
        let cold = self.cold.lock_if_touched();
        let ending = cold.and_then(|cold| cold.failures.ending());
        ending.is_some_and(|ending| self.is_ended_by(&ending))
    }

    #[cold]
    fn is_ended_by(&self, failure: &Cancelled) -> bool {
        if self.config().keep_body {
            return false;
        }
        // The end of the parent or the owner's cancel may have been faster.
        let outcome = self.context().err();
        let outcome = outcome.as_ref().and_then(Cancelled::cause::<TaskFailure>);
        let failure = failure.cause::<TaskFailure>();
        matches!((outcome, failure), (Some(outcome), Some(failure)) if outcome.is(failure))
    }

    /// The body panicked.
    pub(crate) fn body_panicked(&self, payload: Payload) {
        let failure = TaskFailure::new(&self.body(), Reason::TaskPanicked, panic_message(&payload));
        let surplus = self.cold.lock().failures.add_panic(payload);
        drop_quietly(surplus);
        self.end(failure.cancelled());
    }

    /// The body, where a task would be named.
    pub(crate) fn body(&self) -> Who {
        let name = Name::new("scope body");
        Who {
            name: Some(name),
            location: self.location,
        }
    }

    /// The text of an error, where this scope can know it.
    pub(crate) fn describe(&self, error: &ErasedError) -> Option<String> {
        // The text is user code: a panic in it must not lose the error.
        let text = quietly(|| message(&**error, self.config().describe.as_ref()))?;
        text.map(|text| one_line(text.into()).into_owned())
    }

    /// What is said of an error by what became of it.
    fn log_surplus(&self, surplus: &Surplus, failure: &TaskFailure) {
        match surplus {
            Surplus::None => {}
            Surplus::Late => self.log_late(failure),
            Surplus::Unseen(_) => {
                let what = "a task failed with an error that nobody is left to see";
                failure.log(Level::WARN, self.name(), what);
            }
        }
    }

    fn log_late(&self, failure: &TaskFailure) {
        let what = "a task failed after the result of its scope was decided";
        failure.log(Level::DEBUG, self.name(), what);
    }
}
