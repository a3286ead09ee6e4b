//! The limit of a scope: slots that a task takes before it is spawned.
//!
//! # Invariants
//!
//! 1. A slot is taken before its task exists and given back after the task's
//!    future, captures and context are gone.
//! 2. A slot that comes free is passed to the longest waiter under the lock, so
//!    no later waiter overtakes it; one that gives up passes its slot on.
//! 3. Wakers are cloned, woken and dropped outside the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;

use crate::foreign::wake;
use crate::sync::Mutex;

/// The slots of one scope.
pub(crate) struct Slots {
    limit: usize,
    state: Mutex<State>,
}

struct State {
    used: usize,
    next: u64,
    /// By the order of arrival, so that each can leave from where it stands.
    waiting: BTreeMap<u64, Waker>,
    /// Waiters that were passed a slot and have not come for it yet.
    granted: BTreeSet<u64>,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State {
            used: 0,
            next: 0,
            waiting: BTreeMap::new(),
            granted: BTreeSet::new(),
        };
        Self {
            limit,
            state: Mutex::new(state),
        }
    }

    /// Takes a slot if one is free and no other waiter is ahead.
    pub(crate) fn try_take(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.used < self.limit && state.waiting.is_empty();
        state.used += usize::from(free);
        free
    }

    /// Gives a slot back, or passes it on.
    pub(crate) fn give_back(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.used -= 1;
            self.pass_on(&mut state)
        };
        wake(waker);
    }

    fn pass_on(&self, state: &mut State) -> Option<Waker> {
        if state.used >= self.limit {
            return None;
        }
        let (first, waker) = state.waiting.pop_first()?;
        state.used += 1;
        state.granted.insert(first);
        Some(waker)
    }

    /// Takes a slot or waits in line. `place` is the caller's place in line.
    pub(crate) fn poll_take(&self, place: &mut Option<u64>, waker: &Waker) -> bool {
        let mine = waker.clone();
        let _old = {
            let mut state = self.state.lock();
            if let Some(id) = *place {
                if state.granted.remove(&id) {
                    *place = None;
                    drop(state);
                    return true;
                }
                state.waiting.insert(id, mine)
            } else if state.used < self.limit && state.waiting.is_empty() {
                state.used += 1;
                drop(state);
                return true;
            } else {
                let id = state.next;
                state.next += 1;
                *place = Some(id);
                state.waiting.insert(id, mine)
            }
        };
        false
    }

    /// Leaves the line, passing on a slot that came meanwhile.
    pub(crate) fn give_up(&self, id: u64) {
        let (_mine, waker) = {
            let mut state = self.state.lock();
            if state.granted.remove(&id) {
                state.used -= 1;
                (None, self.pass_on(&mut state))
            } else {
                (state.waiting.remove(&id), None)
            }
        };
        wake(waker);
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_long_line_is_left_from_its_end_at_no_more_than_from_its_front() {
        const WAITING: u64 = 200_000;
        let slots = Slots::new(1);
        assert!(slots.try_take());
        for _ in 0..WAITING {
            assert!(!slots.poll_take(&mut None, Waker::noop()));
        }
        // Looking for each from the front would take twenty thousand million steps.
        let begun = Instant::now();
        (0..WAITING).rev().for_each(|id| slots.give_up(id));
        assert!(begun.elapsed() < Duration::from_secs(20));
        slots.give_back();
        assert!(slots.try_take());
    }
}
