//! Timers: tokio's where a runtime is at hand, the helper thread's elsewhere.

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use super::{clock, helper};

/// Where a timer runs: one tokio runtime, or the helper thread.
///
/// Never 0, so that 0 can mean "nowhere". Two runtimes share a place only if 2³² others were
/// made between them.
pub(crate) type Place = u32;

/// The process-wide helper thread.
pub(crate) const HELPER: Place = u32::MAX;

/// The place of whoever polls now.
pub(crate) fn place() -> Place {
    match Handle::try_current() {
        Ok(handle) => {
            let mut last = LastWord(0);
            handle.id().hash(&mut last);
            // 0 and `HELPER` are spoken for.
            (last.0 % u64::from(HELPER - 1)) as u32 + 1
        }
        Err(_) => HELPER,
    }
}

/// Keeps the number that a runtime's id hashes as: the id shows it in no other way.
struct LastWord(u64);

impl Hasher for LastWord {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// One armed timer. Dropping it disarms it.
pub(crate) enum Timer {
    Tokio(Pin<Box<Sleep>>),
    Helper(Option<helper::Alarm>, u64),
}

impl Timer {
    /// A timer for `deadline` at the place of the caller.
    ///
    /// # Panics
    ///
    /// tokio panics when the current runtime was built without its time driver. No lock may
    /// be held here.
    pub(crate) fn new(place: Place, deadline: u64) -> Timer {
        if place == HELPER {
            Timer::Helper(None, deadline)
        } else {
            Timer::Tokio(Box::pin(sleep_until(clock::instant_of(deadline))))
        }
    }

    /// Starts it; `waker` is woken at the deadline, or earlier when the runtime shuts down.
    /// Returns false when there is nothing to wait for any more. Called once: tokio panics
    /// when a timer of a runtime that shut down is polled again.
    pub(crate) fn arm(&mut self, waker: &Waker) -> bool {
        match self {
            // A spent coop budget would register nothing, hence `unconstrained`.
            Timer::Tokio(sleep) => {
                let mut sleep = unconstrained(sleep.as_mut());
                let mut cx = TaskContext::from_waker(waker);
                Pin::new(&mut sleep).poll(&mut cx) == Poll::Pending
            }
            Timer::Helper(alarm, deadline) => {
                *alarm = helper::alarm(*deadline, waker.clone());
                true
            }
        }
    }
}
