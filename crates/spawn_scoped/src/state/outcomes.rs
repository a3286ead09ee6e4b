//! How tasks and bodies end, as the scope takes note of it.

use std::any::Any;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Reason, owner};

use crate::data::entry::{Name, Who};
use crate::data::failure::{
    ErasedError, FailureKind, Payload, TaskFailure, panic_message, well_known_message,
};
use crate::state::failures::Surplus;
use crate::state::shared::{Shared, drop_quietly};
use crate::sync::catch;

impl Shared {
    /// The scope whose result a failure in here belongs to.
    fn foreground(self: &Arc<Self>) -> Option<Arc<Shared>> {
        match &self.rare.lock().foreground {
            None => Some(self.clone()),
            Some(scope) => scope.upgrade(),
        }
    }

    /// A task returned an error. Returns what to tell those who await it.
    pub(crate) fn task_failed(self: &Arc<Self>, who: &Who, error: ErasedError) -> Cancelled {
        self.take_error(who, error, !self.is_supervised())
    }

    /// The same for a task whose failure nobody waits for any more.
    pub(crate) fn task_failed_late(self: &Arc<Self>, who: &Who, error: ErasedError) -> Cancelled {
        self.take_error(who, error, false)
    }

    fn take_error(self: &Arc<Self>, who: &Who, error: ErasedError, matters: bool) -> Cancelled {
        // A task that fails after the end of its context failed because of it.
        let ended = self.context().err();
        let failure = TaskFailure::new(who, FailureKind::Failed, self.describe(&error));
        let cause = Some(Arc::new(failure.clone()) as _);
        let cancelled = owner::cancelled(Reason::TaskFailed, who.location, cause);
        let was_asked = self.rare.lock().failures.enough;
        let decides = matters && !was_asked;
        let Some(scope) = self.foreground() else {
            self.log_unseen(&failure);
            return ended.unwrap_or(cancelled);
        };
        let surplus = {
            let mut rare = scope.rare.lock();
            match decides {
                true => rare.failures.add_error(error, who),
                false => rare.failures.add_undecisive(error, who),
            }
        };
        let is_primary = decides && matches!(surplus, Surplus::None);
        match &surplus {
            Surplus::None => {}
            Surplus::Late if self.is_supervised() => scope.log_supervised(&failure),
            Surplus::Late => scope.log_late(&failure),
            // What fails because it was told to stop is no news.
            Surplus::Unseen(_) if ended.is_some() => scope.log_late(&failure),
            Surplus::Unseen(_) | Surplus::Panic(_) => scope.log_unseen(&failure),
        }
        drop(surplus);
        // Only the error that decides cancels, so that the result of the scope
        // and the cause of its end are the same failure.
        if is_primary && ended.is_none() {
            scope.end(cancelled.clone());
        }
        ended.unwrap_or(cancelled)
    }

    /// A task panicked. Returns what to tell those who await it.
    pub(crate) fn task_panicked(self: &Arc<Self>, who: &Who, payload: Payload) -> Cancelled {
        let failure = TaskFailure::new(who, FailureKind::Panicked, panic_message(&payload));
        let cancelled = owner::cancelled(
            Reason::TaskPanicked,
            who.location,
            Some(Arc::new(failure.clone())),
        );
        tracing::error!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            panic = failure.message(),
            "a task panicked",
        );
        if let Some(scope) = self.foreground() {
            let surplus = scope.rare.lock().failures.add_panic(payload);
            drop_quietly(surplus);
            scope.end(cancelled.clone());
        } else {
            drop_quietly(payload);
        }
        cancelled
    }

    /// A task was dropped before its end, by its runtime or by an abort.
    pub(crate) fn task_dropped(self: &Arc<Self>, who: &Who) {
        let (reason, kind) = if self.ledger.is_aborting() {
            (Reason::TaskAborted, FailureKind::Aborted)
        } else {
            (Reason::TaskLost, FailureKind::Lost)
        };
        let failure = TaskFailure::new(who, kind, None);
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            "a task was {}",
            if kind == FailureKind::Aborted { "aborted after its grace" } else { "dropped by its runtime" },
        );
        self.task_lost(owner::cancelled(
            reason,
            who.location,
            Some(Arc::new(failure)),
        ));
    }

    /// A task that did not run to its end, through no doing of its context.
    pub(crate) fn task_lost(self: &Arc<Self>, cancelled: Cancelled) {
        let was_asked = self.rare.lock().failures.enough;
        if let (Some(scope), false) = (self.foreground(), was_asked) {
            let surplus = scope.rare.lock().failures.add_loss(cancelled.clone());
            drop(surplus);
            if !self.is_supervised() {
                scope.end(cancelled);
            }
        }
    }

    /// The end of its context kept a task from its end, or from its start.
    pub(crate) fn task_stopped(self: &Arc<Self>, cancelled: Cancelled) {
        let was_asked = self.rare.lock().failures.enough;
        if let (Some(scope), false) = (self.foreground(), was_asked) {
            let surplus = scope.rare.lock().failures.add_stopped(cancelled);
            drop(surplus);
        }
    }

    /// The body returned an error. Says whether that error decides.
    pub(crate) fn body_failed(&self, message: Option<String>) -> bool {
        let decides = self.rare.lock().failures.body_failed();
        let failure = TaskFailure::new(&self.body(), FailureKind::Failed, message);
        self.end(owner::cancelled(
            Reason::TaskFailed,
            self.location,
            Some(Arc::new(failure)),
        ));
        decides
    }

    /// The body panicked.
    pub(crate) fn body_panicked(&self, payload: Payload) {
        let failure =
            TaskFailure::new(&self.body(), FailureKind::Panicked, panic_message(&payload));
        let surplus = self.rare.lock().failures.add_panic(payload);
        drop_quietly(surplus);
        self.end(owner::cancelled(
            Reason::TaskPanicked,
            self.location,
            Some(Arc::new(failure)),
        ));
    }

    /// The body, where a task would be named.
    pub(crate) fn body(&self) -> Who {
        let name = Name::new("scope body".into());
        Who {
            name: Some(name),
            location: self.location,
        }
    }

    /// The text of an error, where this scope can know it.
    pub(crate) fn describe(&self, error: &ErasedError) -> Option<String> {
        let error: &(dyn Any + Send) = &**error;
        // The text is user code: a panic in it must not lose the error.
        catch(|| {
            let told = self
                .config
                .as_ref()
                .and_then(|config| config.describe.as_ref());
            match told {
                Some(describe) => describe(error),
                None => well_known_message(error),
            }
        })
        .unwrap_or_default()
    }

    fn log_late(&self, failure: &TaskFailure) {
        tracing::debug!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a task failed after the result of its scope was decided",
        );
    }

    fn log_supervised(&self, failure: &TaskFailure) {
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a supervised task failed",
        );
    }

    fn log_unseen(&self, failure: &TaskFailure) {
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a task failed with an error that nobody is left to see",
        );
    }
}
