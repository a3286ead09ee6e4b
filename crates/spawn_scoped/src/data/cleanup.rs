//! Clean-up that was deferred to the end of a scope, as data.

use std::collections::BTreeMap;
use std::pin::Pin;

use tokio_ctx_core::{Cancelled, Context};

use crate::data::entry::Who;
use crate::data::failure::ErasedError;

/// How a clean-up failed.
pub(crate) enum CleanUpError {
    /// With an error of the scope's own type.
    Linked(ErasedError),
    /// With one that only the log hears of, in words.
    Isolated(String),
    /// Its time was over.
    CutOff(Cancelled),
}

/// A clean-up that runs.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<(), CleanUpError>> + Send>>;

/// A clean-up that has not begun.
pub(crate) struct CleanUp {
    pub(crate) who: Who,
    /// Whether its failure decides nothing.
    pub(crate) isolated: bool,
    pub(crate) begin: Box<dyn FnOnce(Context) -> Running + Send>,
}

/// The clean-up of a scope, in the order in which it was deferred.
#[derive(Default)]
pub(crate) struct CleanUps {
    next: u64,
    waiting: BTreeMap<u64, CleanUp>,
}

impl CleanUps {
    /// Its number, by which it can be taken back.
    pub(crate) fn add(&mut self, clean_up: CleanUp) -> u64 {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, clean_up);
        id
    }

    pub(crate) fn take(&mut self, id: u64) -> Option<CleanUp> {
        self.waiting.remove(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All of it; the last is the one to begin with.
    pub(crate) fn take_all(&mut self) -> Vec<CleanUp> {
        std::mem::take(&mut self.waiting).into_values().collect()
    }
}
