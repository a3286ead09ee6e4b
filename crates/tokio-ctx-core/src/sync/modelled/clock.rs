//! A clock that stands still until somebody moves it, one per execution.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(loom)]
use loom as backend;
#[cfg(all(shuttle, not(loom)))]
use shuttle as backend;

use super::lock::Mutex;

pub(crate) const NEVER: u64 = u64::MAX;

/// Where a timer is armed: see [`timer`](super::timer).
pub(super) type Place = u32;

/// The one runtime of an execution.
pub(super) const RUNTIME: Place = 1;

// Where an execution's time starts; only differences to it are ever used.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);
const START: u64 = 1_000_000_000;

pub(super) struct Clock {
    now: u64,
    may_stall: bool,
    next_id: u64,
    pub(super) armed: BTreeMap<(u64, u64), (Place, Waker)>,
}

backend::lazy_static! {
    static ref CLOCK: Mutex<Clock> =
        Mutex::new(Clock { now: START, may_stall: false, next_id: 0, armed: BTreeMap::new() });
}

pub(crate) fn now() -> u64 {
    CLOCK.lock().now
}

pub(crate) fn nanos_of(at: Instant) -> u64 {
    let since = at.saturating_duration_since(*BASE).as_nanos();
    u64::try_from(since).unwrap_or(NEVER)
}

pub(crate) fn later(at: u64, after: Duration) -> u64 {
    let after = u64::try_from(after.as_nanos()).unwrap_or(NEVER);
    at.saturating_add(after)
}

pub(crate) fn instant_of(nanos: u64) -> Instant {
    *BASE + Duration::from_nanos(nanos)
}

/// Moves the clock and wakes what is due, earliest first.
pub(crate) fn advance(by: Duration) {
    let due = {
        let mut clock = CLOCK.lock();
        clock.now += u64::try_from(by.as_nanos()).unwrap_or(0);
        let now = clock.now;
        let later = clock.armed.split_off(&(now + 1, 0));
        std::mem::replace(&mut clock.armed, later)
    };
    wake(due);
}

/// Wakes the timers of the runtime early, as its shutdown does.
pub(crate) fn lose_timers() {
    wake(take_of_runtime());
}

/// From now on the runtime is one that nobody may drive.
pub(crate) fn let_stall() {
    CLOCK.lock().may_stall = true;
}

pub(super) fn may_stall() -> bool {
    CLOCK.lock().may_stall
}

/// Leaves the timers of the runtime as they are for ever: nobody drives it any more.
pub(crate) fn stall() {
    // A waker that is dropped is not woken, and may be the last to know a context.
    drop(take_of_runtime());
}

fn take_of_runtime() -> BTreeMap<(u64, u64), (Place, Waker)> {
    let mut clock = CLOCK.lock();
    let (lost, kept) = std::mem::take(&mut clock.armed)
        .into_iter()
        .partition(|(_, (place, _))| *place == RUNTIME);
    clock.armed = kept;
    lost
}

fn wake(timers: BTreeMap<(u64, u64), (Place, Waker)>) {
    for (_, waker) in timers.into_values() {
        waker.wake();
    }
}

/// Checks the time and arms in one critical section; `None` when `deadline` has come.
pub(super) fn arm(deadline: u64, place: Place, waker: Waker) -> Option<(u64, u64)> {
    let mut clock = CLOCK.lock();
    if clock.now >= deadline {
        drop(clock);
        drop(waker);
        return None;
    }
    let key = (deadline, clock.next_id);
    clock.next_id += 1;
    clock.armed.insert(key, (place, waker));
    Some(key)
}

pub(super) fn disarm(key: (u64, u64)) {
    let removed = CLOCK.lock().armed.remove(&key);
    drop(removed);
}
