//! Timers on the manual clock.

use std::task::Waker;

use super::clock::{self, RUNTIME};

pub(crate) type Place = clock::Place;

pub(crate) const HELPER: Place = u32::MAX;
pub(crate) const BACKSTOP: Place = u32::MAX - 1;

pub(crate) fn place() -> Place {
    RUNTIME
}

/// The runtime of an execution is one of several threads, unless the model says otherwise.
pub(crate) fn backstop(deadline: u64) -> Option<u64> {
    clock::may_stall().then_some(deadline)
}

pub(crate) struct Timer {
    key: (u64, u64),
}

pub(crate) enum Refusal {
    Due,
    #[expect(dead_code, reason = "the runtime of a model has timers")]
    NoTimers,
}

impl Timer {
    pub(crate) fn arm(place: Place, deadline: u64, waker: &Waker) -> Result<Timer, Refusal> {
        let armed = clock::arm(deadline, place, waker.clone());
        armed.map(|key| Timer { key }).ok_or(Refusal::Due)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clock::disarm(self.key);
    }
}
