//! What went wrong in a scope: the error that decides, the later ones that are
//! kept and counted, and the panic that is resumed.

use tokio_ctx_core::Cancelled;

use crate::data::entry::Who;
use crate::data::failure::{ErasedError, Payload};

/// How many later errors are kept; the rest is counted.
const KEPT: usize = 32;

/// Everything that went wrong, in order of arrival. Guarded by the scope's lock.
#[derive(Default)]
pub(crate) struct Failures {
    /// The first error of a task or of the body, or the first task that was
    /// lost or aborted. Set once, except that it may yield.
    primary: Option<Primary>,
    /// Whether the primary error only says that its task was cancelled: then a
    /// real error takes its place.
    yields: bool,
    /// The failure with which the scope's context ends, or is about to end.
    /// Set before the attempt, and once.
    ending: Option<Cancelled>,
    /// The first task that the end of the context kept from its end. Decides
    /// only if there is no primary: every error beats it.
    stopped: Option<Cancelled>,
    /// The first task that was aborted: it decides after the owner's cancel, too.
    aborted: Option<Cancelled>,
    /// The body's own error, if it decides: after the owner's cancel, too.
    body: Option<(ErasedError, Who)>,
    /// The first error of a clean-up: decides if nothing else failed.
    clean_up: Option<(ErasedError, Who)>,
    /// The first panic. Set once.
    panic: Option<Payload>,
    late: Vec<(ErasedError, Who)>,
    num_late: usize,
    /// Set when the owner's own cancel won: from then on (and, since the first
    /// outcome wins, before that as well) no task's error decides.
    pub(crate) enough: bool,
    /// Set when the scope was dropped: its result is never read.
    pub(crate) orphaned: bool,
}

/// What decides the result of a scope so far.
enum Primary {
    Error(ErasedError, Who),
    Loss(Cancelled),
    /// That of the body.
    Body,
}

/// What is to be logged and dropped by the caller once the lock is gone.
#[must_use = "foreign values are dropped outside the lock"]
pub(crate) enum Surplus {
    None,
    /// It is counted, but did not decide.
    Late,
    /// It is never read: the list is full, it is a second panic, or the scope was dropped.
    Unseen(#[expect(dead_code, reason = "held to be dropped outside the lock")] ErasedError),
}

impl Failures {
    /// The first error that `matters` is primary, a later one is kept while there is room.
    /// A real error takes the place of one that only says "cancelled".
    /// Says whether this error decides now.
    pub(crate) fn add_error(
        &mut self,
        error: ErasedError,
        who: &Who,
        only_cancelled: bool,
        matters: bool,
    ) -> (bool, Surplus) {
        if self.orphaned {
            return (false, Surplus::Unseen(error));
        }
        if !matters || self.enough || !self.takes(only_cancelled) {
            return (false, self.add_late(error, who.clone()));
        }
        let primary = Primary::Error(error, who.clone());
        (true, self.replace_primary(primary, only_cancelled))
    }

    /// Whether the next error decides.
    fn takes(&self, only_cancelled: bool) -> bool {
        self.primary.is_none() || (self.yields && !only_cancelled)
    }

    fn replace_primary(&mut self, primary: Primary, yields: bool) -> Surplus {
        self.yields = yields;
        match self.primary.replace(primary) {
            Some(Primary::Error(error, who)) => self.add_late(error, who),
            // The body has its error itself, and hands it in at the end.
            Some(Primary::Body | Primary::Loss(_)) | None => Surplus::None,
        }
    }

    fn add_late(&mut self, error: ErasedError, who: Who) -> Surplus {
        self.num_late += 1;
        if self.late.len() < KEPT {
            self.late.push((error, who));
            Surplus::Late
        } else {
            Surplus::Unseen(error)
        }
    }

    /// The body returned an error.
    pub(crate) fn body_failed(
        &mut self,
        error: ErasedError,
        who: Who,
        only_cancelled: bool,
    ) -> Surplus {
        let takes = self.takes(only_cancelled);
        if !takes && !self.enough {
            return self.add_late(error, who);
        }
        self.body = Some((error, who));
        match takes {
            true => self.replace_primary(Primary::Body, only_cancelled),
            false => Surplus::None,
        }
    }

    /// Notes that the scope is about to end because of this failure. `false` if another one was
    /// faster, which ends it.
    pub(crate) fn is_first_to_end(&mut self, failure: &Cancelled) -> bool {
        let is_first = self.ending.is_none();
        if is_first {
            self.ending = Some(failure.clone());
        }
        is_first
    }

    /// The failure that ends the scope, if one does.
    pub(crate) fn ending(&self) -> Option<Cancelled> {
        self.ending.clone()
    }

    /// A clean-up that returned an error.
    pub(crate) fn add_clean_up(&mut self, error: ErasedError, who: &Who) -> Surplus {
        if self.orphaned {
            return Surplus::Unseen(error);
        }
        if self.clean_up.is_some() {
            return self.add_late(error, who.clone());
        }
        self.clean_up = Some((error, who.clone()));
        Surplus::None
    }

    /// A task that was lost. Says whether that decides.
    pub(crate) fn add_loss(&mut self, cancelled: &Cancelled) -> bool {
        let decides = self.primary.is_none() && !self.enough;
        if decides {
            self.primary = Some(Primary::Loss(cancelled.clone()));
        }
        decides
    }

    /// A task or the body that was aborted after the grace: decides after the owner's cancel,
    /// too, since nobody asked for that.
    pub(crate) fn add_abort(&mut self, cancelled: &Cancelled) -> bool {
        // The owner's cancel is noted a moment after the context has ended.
        if self.aborted.is_none() {
            self.aborted = Some(cancelled.clone());
        }
        self.add_loss(cancelled)
    }

    /// A task that the end of the context kept from its end.
    /// Given back if it was not the first, to be dropped outside the lock.
    pub(crate) fn add_stopped(&mut self, cancelled: Cancelled) -> Option<Cancelled> {
        if self.stopped.is_some() {
            return Some(cancelled);
        }
        self.stopped = Some(cancelled);
        None
    }

    pub(crate) fn add_panic(&mut self, payload: Payload) -> Surplus {
        if self.panic.is_some() || self.orphaned {
            return Surplus::Unseen(payload);
        }
        self.panic = Some(payload);
        Surplus::None
    }

    /// The result of the scope. Read once, when all have left.
    pub(crate) fn verdict(&mut self) -> Verdict {
        let mut primary = self.primary.take();
        if self.enough {
            // An error that was faster than the owner's cancel, but lost to it:
            // it is one of the late ones.
            if let Some(Primary::Error(error, who)) = primary {
                self.num_late += 1;
                self.late.insert(0, (error, who));
            }
            primary = self.aborted.take().map(Primary::Loss);
        } else if primary.is_none() {
            primary = self.stopped.take().map(Primary::Loss);
        }
        let mut result = match (primary, self.body.take()) {
            (Some(Primary::Error(error, _)), own) => {
                // The body's was overtaken by a real error.
                self.late_at_last(own);
                Outcome::Error(error)
            }
            (_, Some((own, _))) => Outcome::Error(own),
            (Some(Primary::Loss(cancelled)), None) => Outcome::Loss(cancelled),
            (Some(Primary::Body) | None, None) => Outcome::Value,
        };
        match (&result, self.clean_up.take()) {
            (Outcome::Value, Some((error, _))) => result = Outcome::Error(error),
            (_, late) => self.late_at_last(late),
        }
        if let Some(payload) = self.panic.take() {
            result = Outcome::Panic(payload, Box::new(result));
        }
        Verdict {
            result,
            late: std::mem::take(&mut self.late),
            num_late: self.num_late,
        }
    }

    /// Something else decides, so it is the last of the late ones.
    fn late_at_last(&mut self, late: Option<(ErasedError, Who)>) {
        self.num_late += usize::from(late.is_some());
        self.late.extend(late);
    }
}

/// What a scope ends with.
pub(crate) struct Verdict {
    pub(crate) result: Outcome,
    pub(crate) late: Vec<(ErasedError, Who)>,
    pub(crate) num_late: usize,
}

pub(crate) enum Outcome {
    /// The value of the body.
    Value,
    Error(ErasedError),
    Loss(Cancelled),
    /// And what is not returned for that.
    Panic(Payload, Box<Outcome>),
}
