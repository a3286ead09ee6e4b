//! Timers: tokio's where a runtime is at hand, the helper thread's elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use super::helper;
use crate::sync::clock;
use crate::sync::shield::shield;
use crate::word::word_of;

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
    // 0 and the helper's are spoken for.
    (word_of(handle.id()) % u64::from(BACKSTOP - 1)) as u32 + 1
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
        RuntimeFlavor::CurrentThread => is_systems_clock(),
        _ => handle.metrics().num_workers() == 1,
    };
    may_miss.then(|| clock::later(deadline, LATER))
}

/// Whether the clock of the current runtime is the system's, and not one that a test has paused.
fn is_systems_clock() -> bool {
    let before = Instant::now();
    let seen = tokio::time::Instant::now().into_std();
    before <= seen && seen <= Instant::now()
}

/// One armed timer. Dropping it disarms it.
pub(crate) enum Timer {
    Tokio { _sleep: Pin<Box<Sleep>> },
    Helper { _alarm: helper::Alarm },
}

impl Timer {
    /// A timer at `place`, which is the helper or the current runtime: wakes `waker` at
    /// `deadline`, or earlier when the runtime shuts down. `None` when the deadline has come.
    /// No lock may be held here.
    pub(crate) fn arm(place: Place, deadline: u64, waker: &Waker) -> Option<Timer> {
        let at_helper = || {
            let _alarm = helper::alarm(deadline, waker.clone());
            Some(Timer::Helper { _alarm })
        };
        if matches!(place, HELPER | BACKSTOP) {
            return at_helper();
        }
        // tokio panics if the runtime was built without its time driver.
        let made = shield(|| Box::pin(sleep_until(clock::instant_of(deadline))));
        let Ok(mut sleep) = made else {
            timeless().push(place);
            ANY_TIMELESS.store(true, Ordering::Release);
            return at_helper();
        };
        // It panics as well when a timer is polled while its runtime shuts down. A spent coop
        // budget would register nothing, hence `unconstrained`.
        let polled = shield(|| {
            let mut sleep = unconstrained(sleep.as_mut());
            Pin::new(&mut sleep).poll(&mut TaskContext::from_waker(waker))
        });
        match polled {
            Ok(Poll::Pending) => Some(Timer::Tokio { _sleep: sleep }),
            Ok(Poll::Ready(())) => None,
            Err(_) => at_helper(),
        }
    }
}
