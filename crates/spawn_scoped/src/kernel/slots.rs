//! The limit of a scope: slots that a task takes before it is spawned.
//!
//! # Invariants
//!
//! 1. A slot is taken before its task exists and given back after the task's
//!    future, captures and context are gone.
//! 2. A slot that comes free is passed to the longest waiter under the lock, so
//!    nobody overtakes it; a waiter that gives up passes on what it was given.
//! 3. Wakers are cloned, woken and dropped outside the lock.

use std::collections::VecDeque;
use std::task::Waker;

use crate::sync::Mutex;

/// The slots of one scope.
pub(crate) struct Slots {
    limit: usize,
    state: Mutex<State>,
}

struct State {
    used: usize,
    next: u64,
    waiting: VecDeque<Waiting>,
    /// Waiters that were passed a slot and have not come for it yet.
    granted: Vec<u64>,
}

struct Waiting {
    id: u64,
    waker: Waker,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State {
            used: 0,
            next: 0,
            waiting: VecDeque::new(),
            granted: Vec::new(),
        };
        Self {
            limit,
            state: Mutex::new(state),
        }
    }

    /// Takes a slot if one is free and nobody has waited longer.
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
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn pass_on(&self, state: &mut State) -> Option<Waker> {
        if state.used >= self.limit {
            return None;
        }
        let first = state.waiting.pop_front()?;
        state.used += 1;
        state.granted.push(first.id);
        Some(first.waker)
    }

    /// Takes a slot or waits in line. `place` is the caller's place in line.
    pub(crate) fn poll_take(&self, place: &mut Option<u64>, waker: &Waker) -> bool {
        let mine = waker.clone();
        let _old = {
            let mut state = self.state.lock();
            if let Some(id) = *place {
                if let Some(at) = state.granted.iter().position(|granted| *granted == id) {
                    state.granted.swap_remove(at);
                    *place = None;
                    drop(state);
                    return true;
                }
                let waiting = state.waiting.iter_mut().find(|waiting| waiting.id == id);
                waiting.map(|waiting| std::mem::replace(&mut waiting.waker, mine))
            } else if state.used < self.limit && state.waiting.is_empty() {
                state.used += 1;
                drop(state);
                return true;
            } else {
                let id = state.next;
                state.next += 1;
                *place = Some(id);
                state.waiting.push_back(Waiting { id, waker: mine });
                None
            }
        };
        false
    }

    /// Leaves the line, passing on a slot that came meanwhile.
    pub(crate) fn give_up(&self, id: u64) {
        let (_mine, waker) = {
            let mut state = self.state.lock();
            if let Some(at) = state.granted.iter().position(|granted| *granted == id) {
                state.granted.swap_remove(at);
                state.used -= 1;
                (None, self.pass_on(&mut state))
            } else {
                let at = state.waiting.iter().position(|waiting| waiting.id == id);
                (at.and_then(|at| state.waiting.remove(at)), None)
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}
