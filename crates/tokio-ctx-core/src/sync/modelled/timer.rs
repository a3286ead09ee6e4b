//! Timers on the manual clock.

use std::task::Waker;

use super::clock;

pub(crate) type Place = u32;

pub(crate) const HELPER: Place = u32::MAX;

/// The one runtime of an execution.
const RUNTIME: Place = 1;

pub(crate) fn place() -> Place {
    RUNTIME
}

pub(crate) struct Timer {
    place: Place,
    deadline: u64,
    armed: Option<(u64, u64)>,
}

impl Timer {
    pub(crate) fn new(place: Place, deadline: u64) -> Timer {
        Timer {
            place,
            deadline,
            armed: None,
        }
    }

    pub(crate) fn arm(&mut self, waker: &Waker) -> bool {
        self.armed = clock::arm(self.deadline, self.place, waker.clone());
        self.armed.is_some()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.armed {
            clock::disarm(key);
        }
    }
}
