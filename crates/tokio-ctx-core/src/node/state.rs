//! What a node's lock guards.

use std::pin::Pin;

use slab::Slab;
use smallvec::SmallVec;

use crate::cancelled::{Cancelled, Place};
use crate::sync::TokenWaitOwned;
use crate::sync::timer::{self, Timer};

/// 16 bytes: a node that nobody waits on in a particular way has nothing on the heap.
pub(super) enum State {
    /// No outcome, and nothing else.
    Live,
    /// With callbacks, watches or timers, and perhaps an outcome that a reader resolved.
    Busy(Box<Extra>),
    /// The outcome. Final.
    Ended(Cancelled),
}

#[derive(Default)]
pub(super) struct Extra {
    /// Resolved by a reader while callbacks wait: the relay runs those (invariant 7).
    pub(super) outcome: Option<Cancelled>,
    pub(super) callbacks: Slab<Callback>,
    /// Wakes this node's relay when its token is cancelled. There while there are callbacks.
    pub(super) watch: Watch,
    /// Wakes this merge's relay when the token of its second parent is cancelled. The token
    /// of the merge is a child of the first parent's.
    pub(super) merge_watch: Watch,
    /// At most one per place.
    pub(super) timers: SmallVec<[Armed; 1]>,
}

/// A timer, and the place for whose waiters it is.
pub(super) type Armed = (timer::Place, Timer);

impl Extra {
    /// Takes a timer that was made, unless there is one at its place: then it stays, to be dropped
    /// by the caller outside the lock.
    pub(super) fn add_timer(&mut self, made: &mut Option<Armed>) {
        let is_new = |(place, _): &Armed| self.timers.iter().all(|(armed, _)| armed != place);
        if made.as_ref().is_some_and(is_new) {
            self.timers.extend(made.take());
        }
    }

    /// Takes the timer at `place` out.
    pub(super) fn take_timer(&mut self, place: timer::Place) -> Option<Armed> {
        let index = self.timers.iter().position(|(armed, _)| *armed == place)?;
        Some(self.timers.swap_remove(index))
    }
}

/// A token's future that is being polled by a waker of ours.
pub(super) type Watch = Option<Pin<Box<TokenWaitOwned>>>;

pub(super) struct Callback {
    pub(super) run: Box<dyn FnOnce(&Cancelled) + Send>,
    pub(super) registered_at: Place,
}

/// What became of an offered outcome.
pub(super) struct Settled {
    /// The node's outcome from now on.
    pub(super) outcome: Option<Cancelled>,
    /// Whether that is the offered one.
    pub(super) stored: bool,
    /// Dropped outside the lock.
    _extra: Option<Box<Extra>>,
}

impl State {
    pub(super) fn outcome(&self) -> Option<&Cancelled> {
        match self {
            State::Live => None,
            State::Busy(extra) => extra.outcome.as_ref(),
            State::Ended(cancelled) => Some(cancelled),
        }
    }

    /// The place for callbacks, watches and timers; `None` when there is an outcome.
    pub(super) fn extra(&mut self) -> Option<&mut Extra> {
        if self.outcome().is_some() {
            return None;
        }
        if matches!(self, State::Live) {
            *self = State::Busy(Box::default());
        }
        self.busy()
    }

    pub(super) fn busy(&mut self) -> Option<&mut Extra> {
        match self {
            State::Busy(extra) => Some(extra),
            State::Live | State::Ended(_) => None,
        }
    }

    /// Becomes `state`, and hands out what is on the heap.
    #[inline]
    fn replace(&mut self, state: State) -> Option<Box<Extra>> {
        match std::mem::replace(self, state) {
            State::Busy(extra) => Some(extra),
            State::Live | State::Ended(_) => None,
        }
    }

    /// Stores an outcome and hands out what waited for one; gives the outcome back when there
    /// is one already.
    #[inline]
    pub(super) fn end(&mut self, cancelled: Cancelled) -> Result<Option<Box<Extra>>, Cancelled> {
        if self.outcome().is_some() {
            return Err(cancelled);
        }
        let mut extra = self.replace(State::Ended(cancelled));
        if let Some(extra) = &mut extra {
            extra.outcome = self.outcome().cloned();
        }
        Ok(extra)
    }

    /// Resolves `offered`, without touching callbacks.
    pub(super) fn settle(&mut self, offered: Option<&Cancelled>) -> Settled {
        let offered = offered.filter(|_| self.outcome().is_none());
        let extra = offered.and_then(|outcome| match self.busy() {
            Some(extra) if !extra.callbacks.is_empty() => {
                extra.outcome = Some(outcome.clone());
                None
            }
            _ => self.replace(State::Ended(outcome.clone())),
        });
        Settled {
            outcome: self.outcome().cloned(),
            stored: offered.is_some(),
            _extra: extra,
        }
    }

    /// Takes the callbacks of a node that has an outcome.
    pub(super) fn take_ended(&mut self) -> Option<Box<Extra>> {
        let outcome = self.busy()?.outcome.clone()?;
        self.replace(State::Ended(outcome))
    }

    /// Gives the heap back when nothing is left to keep there.
    pub(super) fn tidy(&mut self) -> Option<Box<Extra>> {
        let extra = self.busy()?;
        let is_empty = extra.outcome.is_none()
            && extra.callbacks.is_empty()
            && extra.watch.is_none()
            && extra.merge_watch.is_none()
            && extra.timers.is_empty();
        is_empty.then(|| self.replace(State::Live)).flatten()
    }
}
