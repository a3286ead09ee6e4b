//! What went wrong in a scope: the error that decides, the later ones that are
//! kept and counted, and the panic that is resumed.

use tokio_ctx_core::Cancelled;

use crate::data::entry::{Name, Place, Who};
use crate::data::failure::{ErasedError, LateError, Payload};

/// How many later errors are kept; the rest is counted.
const KEPT: usize = 32;

/// Everything that went wrong, in order of arrival. Guarded by the scope's lock.
#[derive(Default)]
pub(crate) struct Failures {
    /// The first error of a task or of the body, or the first task that was
    /// lost or aborted. Set once.
    primary: Option<Primary>,
    /// The first task that the end of the context kept from its end. Decides
    /// only if there is no primary: every error beats it.
    stopped: Option<Cancelled>,
    /// The first panic. Set once.
    panic: Option<Payload>,
    late: Vec<(ErasedError, Option<Name>, Place)>,
    num_late: usize,
    /// Set when the owner's own cancel won: from then on (and, since the first
    /// outcome wins, before that as well) no task's error decides.
    pub(crate) enough: bool,
    /// Set when the scope was dropped: nobody will ever ask for a result.
    pub(crate) orphaned: bool,
}

/// What decides the result of a scope.
pub(crate) enum Primary {
    Error(ErasedError, Option<Name>, Place),
    Loss(Cancelled),
    /// The body's own error, which stays with the body: its result is the
    /// scope's after the owner's cancel, too.
    Body,
}

/// What is to be logged and dropped by the caller once the lock is gone.
#[must_use = "foreign values are dropped outside the lock"]
pub(crate) enum Surplus {
    None,
    /// It is in the book, but did not decide.
    Late,
    /// Nobody will ever see it: the list is full, or the scope was dropped.
    Unseen(#[expect(dead_code, reason = "held to be dropped outside the lock")] ErasedError),
    /// A second panic, or one of a scope that was dropped.
    Panic(#[expect(dead_code, reason = "held to be dropped outside the lock")] Payload),
}

impl Failures {
    /// The first error is primary, a later one is kept while there is room.
    pub(crate) fn add_error(&mut self, error: ErasedError, who: &Who) -> Surplus {
        let line = (error, who.name.clone(), who.location);
        if self.orphaned {
            return Surplus::Unseen(line.0);
        }
        if self.primary.is_none() && !self.enough {
            self.primary = Some(Primary::Error(line.0, line.1, line.2));
            return Surplus::None;
        }
        self.add_late(line)
    }

    fn add_late(&mut self, line: (ErasedError, Option<Name>, Place)) -> Surplus {
        self.num_late += 1;
        if self.late.len() < KEPT {
            self.late.push(line);
            Surplus::Late
        } else {
            Surplus::Unseen(line.0)
        }
    }

    /// The body returned an error. Says whether that error decides.
    pub(crate) fn body_failed(&mut self) -> bool {
        if self.primary.is_none() {
            self.primary = Some(Primary::Body);
        }
        self.enough || matches!(self.primary, Some(Primary::Body))
    }

    /// An error of a task whose failures do not decide.
    pub(crate) fn add_undecisive(&mut self, error: ErasedError, who: &Who) -> Surplus {
        if self.orphaned {
            return Surplus::Unseen(error);
        }
        self.add_late((error, who.name.clone(), who.location))
    }

    /// A task that was lost or aborted.
    /// Given back if it does not decide, to be dropped outside the lock.
    pub(crate) fn add_loss(&mut self, cancelled: Cancelled) -> Option<Cancelled> {
        if self.primary.is_some() || self.enough {
            return Some(cancelled);
        }
        self.primary = Some(Primary::Loss(cancelled));
        None
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
            return Surplus::Panic(payload);
        }
        self.panic = Some(payload);
        Surplus::None
    }

    /// What the scope ends with. Asked once, when everybody has left.
    pub(crate) fn verdict(&mut self) -> Verdict {
        let panic = self.panic.take();
        let mut primary = self.primary.take();
        let stopped = self.stopped.take();
        if self.enough {
            // An error that was faster than the owner's cancel, but lost to it:
            // it is one of the late ones.
            if let Some(Primary::Error(error, name, place)) = primary {
                self.num_late += 1;
                self.late.insert(0, (error, name, place));
            }
            primary = None;
        } else if primary.is_none() {
            primary = stopped.map(Primary::Loss);
        }
        Verdict {
            panic,
            primary,
            late: std::mem::take(&mut self.late),
            num_late: self.num_late,
        }
    }
}

/// What a scope ends with.
pub(crate) struct Verdict {
    pub(crate) panic: Option<Payload>,
    pub(crate) primary: Option<Primary>,
    pub(crate) late: Vec<(ErasedError, Option<Name>, Place)>,
    pub(crate) num_late: usize,
}

impl Verdict {
    /// The later errors with their type back.
    pub(crate) fn take_late<E: 'static>(&mut self) -> Vec<LateError<E>> {
        std::mem::take(&mut self.late)
            .into_iter()
            .filter_map(|(error, name, location)| {
                let error = *error.downcast::<E>().ok()?;
                Some(LateError {
                    error,
                    name: name.map(|name| name.to_string()),
                    location,
                })
            })
            .collect()
    }
}
