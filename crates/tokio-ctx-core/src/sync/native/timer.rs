//! Timers: tokio's where a runtime is at hand, the helper thread's elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

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

/// Runtimes that were found to be built without a time driver.
static TIMELESS: Mutex<Vec<Place>> = Mutex::new(Vec::new());
static ANY_TIMELESS: AtomicBool = AtomicBool::new(false);

/// The place of the code that polls now.
pub(crate) fn place() -> Place {
    let Ok(handle) = Handle::try_current() else {
        return HELPER;
    };
    // 0 and the helper's are spoken for.
    let place = (word_of(handle.id()) % u64::from(HELPER - 1)) as u32 + 1;
    match ANY_TIMELESS.load(Ordering::Acquire) && timeless().contains(&place) {
        true => HELPER,
        false => place,
    }
}

fn timeless() -> MutexGuard<'static, Vec<Place>> {
    TIMELESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the timers of the current runtime may never fire though they should: a runtime of one
/// thread keeps them only while that thread drives it, and one of several as long as one of
/// them is free. Not where the clock is not the system's.
pub(crate) fn may_stall() -> bool {
    let Ok(handle) = Handle::try_current() else {
        return false;
    };
    // Only a runtime of one thread can have a paused clock.
    match handle.runtime_flavor() {
        RuntimeFlavor::CurrentThread => is_systems_clock(),
        _ => handle.metrics().num_workers() == 1,
    }
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
        if place == HELPER {
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
