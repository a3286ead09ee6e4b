//! What a node's lock guards.

use std::pin::Pin;

use slab::Slab;

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
    pub(super) timers: Timers,
}

/// At most one timer per place.
///
/// Mostly there is one of a runtime, and one of the helper beside it: these are here, and only
/// more of them are on the heap.
#[derive(Default)]
pub(super) struct Timers {
    few: [Option<Armed>; 2],
    more: Vec<Armed>,
}

type Armed = (timer::Place, Timer);

impl Timers {
    /// Takes what was made, unless there is one at its place: then it stays, to be dropped by the
    /// caller outside the lock.
    pub(super) fn add(&mut self, made: &mut Option<Armed>) {
        let Some((place, _)) = made else {
            return;
        };
        let is_there = |(armed, _): &Armed| armed == place;
        if self.few.iter().flatten().any(is_there) || self.more.iter().any(is_there) {
            return;
        }
        match self.few.iter_mut().find(|free| free.is_none()) {
            Some(free) => *free = made.take(),
            None => self.more.extend(made.take()),
        }
    }

    /// Takes the timer at `place` out.
    pub(super) fn take(&mut self, place: timer::Place) -> Option<Armed> {
        let is_there = |(armed, _): &mut Armed| *armed == place;
        let found = self.few.iter_mut().find_map(|few| few.take_if(is_there));
        found.or_else(|| {
            let index = self.more.iter().position(|(armed, _)| *armed == place)?;
            Some(self.more.swap_remove(index))
        })
    }

    fn is_empty(&self) -> bool {
        self.few.iter().all(Option::is_none) && self.more.is_empty()
    }
}

/// A token's future that is being polled by a waker of ours.
pub(super) type Watch = Option<Pin<Box<TokenWaitOwned>>>;

pub(super) struct Callback {
    pub(super) run: Box<dyn FnOnce(&Cancelled) + Send>,
    pub(super) registered_at: Place,
}

/// What became of an offered outcome. Everything in it is dropped outside the lock.
pub(super) struct Settled {
    /// The node's outcome from now on.
    pub(super) outcome: Option<Cancelled>,
    /// Whether that is the offered one.
    pub(super) stored: bool,
    _garbage: Option<Garbage>,
}

enum Garbage {
    Offered { _outcome: Cancelled },
    Timers { _timers: Timers },
    Extra { _extra: Box<Extra> },
}

impl State {
    pub(super) fn is_live(&self) -> bool {
        matches!(self, State::Live)
    }

    /// Whether it holds what was given to us, so that its drop runs foreign code.
    #[inline]
    pub(super) fn is_foreign(&self) -> bool {
        match self {
            State::Live => false,
            State::Busy(_) => true,
            State::Ended(cancelled) => !cancelled.is_plain(),
        }
    }

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
        if self.is_live() {
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

    /// Stores an outcome and hands out what waited for one; gives the outcome back when there
    /// is one already.
    pub(super) fn end(&mut self, cancelled: Cancelled) -> Result<Option<Box<Extra>>, Cancelled> {
        if self.is_live() {
            *self = State::Ended(cancelled);
            return Ok(None);
        }
        if self.outcome().is_some() {
            return Err(cancelled);
        }
        match std::mem::replace(self, State::Ended(cancelled)) {
            State::Busy(mut extra) => {
                extra.outcome = self.outcome().cloned();
                Ok(Some(extra))
            }
            State::Live | State::Ended(_) => Ok(None),
        }
    }

    /// Resolves `offered`, without touching callbacks.
    pub(super) fn settle(&mut self, offered: Option<Cancelled>) -> Settled {
        if let Some(outcome) = self.outcome() {
            return Settled {
                outcome: Some(outcome.clone()),
                stored: false,
                _garbage: offered.map(|_outcome| Garbage::Offered { _outcome }),
            };
        }
        let Some(outcome) = offered else {
            return Settled {
                outcome: None,
                stored: false,
                _garbage: None,
            };
        };
        let garbage = match self {
            State::Busy(extra) if !extra.callbacks.is_empty() => {
                extra.outcome = Some(outcome.clone());
                Some(Garbage::Timers {
                    _timers: std::mem::take(&mut extra.timers),
                })
            }
            _ => match std::mem::replace(self, State::Ended(outcome.clone())) {
                State::Busy(_extra) => Some(Garbage::Extra { _extra }),
                State::Live | State::Ended(_) => None,
            },
        };
        Settled {
            outcome: Some(outcome),
            stored: true,
            _garbage: garbage,
        }
    }

    /// Takes the callbacks of a node that has an outcome.
    pub(super) fn take_ended(&mut self) -> Option<Box<Extra>> {
        let outcome = self.busy()?.outcome.clone()?;
        match std::mem::replace(self, State::Ended(outcome)) {
            State::Busy(extra) => Some(extra),
            State::Live | State::Ended(_) => None,
        }
    }

    /// Gives the heap back when nothing is left to keep there.
    pub(super) fn tidy(&mut self) -> Option<Box<Extra>> {
        let extra = self.busy()?;
        let is_empty = extra.outcome.is_none()
            && extra.callbacks.is_empty()
            && extra.watch.is_none()
            && extra.merge_watch.is_none()
            && extra.timers.is_empty();
        if !is_empty {
            return None;
        }
        match std::mem::replace(self, State::Live) {
            State::Busy(extra) => Some(extra),
            State::Live | State::Ended(_) => None,
        }
    }
}
