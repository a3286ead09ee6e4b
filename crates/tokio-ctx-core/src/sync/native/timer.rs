//! Timers: tokio's where a runtime is at hand, the helper thread's elsewhere.

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use super::shield::shield;
use super::{clock, helper};

/// Where a timer runs: one tokio runtime, or the helper thread.
///
/// Never 0, so that 0 can mean "nowhere". Two runtimes share a place only if 2³² others were
/// made between them.
pub(crate) type Place = u32;

/// The process-wide helper.
pub(crate) const HELPER: Place = u32::MAX;

/// The helper as well, a little later, for what a runtime may miss: see [`backstop`].
pub(crate) const BACKSTOP: Place = u32::MAX - 1;

/// How long after a deadline the helper rings as well, where a runtime may not be driven: later
/// than the runtime's own timer, which then takes the alarm back.
const LATER: Duration = Duration::from_millis(100);

/// Runtimes that were found to be built without a time driver.
static TIMELESS: Mutex<Vec<Place>> = Mutex::new(Vec::new());
static ANY_TIMELESS: AtomicBool = AtomicBool::new(false);

/// The place of the code that polls now.
pub(crate) fn place() -> Place {
    match Handle::try_current() {
        Ok(handle) => {
            let place = place_of(&handle);
            if ANY_TIMELESS.load(Ordering::Acquire) && timeless().contains(&place) {
                return HELPER;
            }
            place
        }
        Err(_) => HELPER,
    }
}

fn place_of(handle: &Handle) -> Place {
    let mut last = LastWord(0);
    handle.id().hash(&mut last);
    // 0 and the helper's are spoken for.
    (last.0 % u64::from(BACKSTOP - 1)) as u32 + 1
}

fn timeless() -> MutexGuard<'static, Vec<Place>> {
    TIMELESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the helper is to ring for a deadline whose timer is armed in the current runtime;
/// `None` if that runtime can be relied upon, or if its clock is not the system's.
///
/// A runtime of one thread keeps its timers only while that thread drives it; one of several
/// does as long as one of them is free.
pub(crate) fn backstop(deadline: u64) -> Option<u64> {
    let handle = Handle::try_current().ok()?;
    // Only a runtime of one thread can have a paused clock.
    let may_miss = match handle.runtime_flavor() {
        RuntimeFlavor::CurrentThread => clock::is_systems(),
        _ => handle.metrics().num_workers() == 1,
    };
    may_miss.then(|| clock::later(deadline, LATER))
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
    Tokio { _sleep: Pin<Box<Sleep>> },
    Helper { _alarm: helper::Alarm },
}

/// Why there is no timer.
pub(crate) enum Refusal {
    /// The deadline has come.
    Due,
    /// The runtime has no timers, or is shutting down.
    NoTimers,
}

impl Timer {
    /// A timer at `place`, which is the helper or the current runtime: wakes `waker` at
    /// `deadline`, or earlier when the runtime shuts down. No lock may be held here.
    pub(crate) fn arm(place: Place, deadline: u64, waker: &Waker) -> Result<Timer, Refusal> {
        if matches!(place, HELPER | BACKSTOP) {
            let _alarm = helper::alarm(deadline, waker.clone());
            return Ok(Timer::Helper { _alarm });
        }
        // tokio panics if the runtime was built without its time driver.
        let made = shield(|| Box::pin(sleep_until(clock::instant_of(deadline))));
        let Ok(mut sleep) = made else {
            timeless().push(place);
            ANY_TIMELESS.store(true, Ordering::Release);
            return Err(Refusal::NoTimers);
        };
        // It panics as well when a timer is polled while its runtime shuts down. A spent coop
        // budget would register nothing, hence `unconstrained`.
        let polled = shield(|| {
            let mut sleep = unconstrained(sleep.as_mut());
            Pin::new(&mut sleep).poll(&mut TaskContext::from_waker(waker))
        });
        match polled {
            Ok(Poll::Pending) => Ok(Timer::Tokio { _sleep: sleep }),
            Ok(Poll::Ready(())) => Err(Refusal::Due),
            Err(_) => Err(Refusal::NoTimers),
        }
    }
}
