//! A clock that stands still until somebody moves it, one per execution, and its timers.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use crate::sync::backend::platform;
use crate::sync::lock::Mutex;

/// See the twin of this file. The one runtime of an execution is 1.
pub(crate) type Place = u32;
pub(crate) const HELPER: Place = u32::MAX;
const RUNTIME: Place = 1;

type Timers = BTreeMap<(u64, u64), (Place, Waker)>;

struct Clock {
    now: u64,
    may_stall: bool,
    next_id: u64,
    armed: Timers,
}

platform::lazy_static! {
    static ref CLOCK: Mutex<Clock> =
        Mutex::new(Clock { now: 1_000_000_000, may_stall: false, next_id: 0, armed: BTreeMap::new() });
}

pub(crate) fn now() -> u64 {
    CLOCK.lock().now
}

/// Moves the execution's clock, and wakes what waits for a deadline that has come, earliest first.
///
/// It is an event of the calling thread like any other: the checker tries it before, between
/// and after the steps of the other threads.
pub fn advance(by: Duration) {
    let due = {
        let mut clock = CLOCK.lock();
        clock.now += u64::try_from(by.as_nanos()).unwrap_or(0);
        let now = clock.now;
        let later = clock.armed.split_off(&(now + 1, 0));
        std::mem::replace(&mut clock.armed, later)
    };
    wake(due);
}

/// Does to timers what the shutdown of a runtime does: wakes them early and loses them.
pub fn lose_timers() {
    wake(take_of_runtime());
}

/// Makes the runtime of the execution one of a single thread, which may [`stall`].
pub fn let_stall() {
    CLOCK.lock().may_stall = true;
}

/// Leaves the runtime undriven: its timers that are armed never fire.
pub fn stall() {
    // A waker that is dropped is not woken, and may be the last to know a context.
    drop(take_of_runtime());
}

fn take_of_runtime() -> Timers {
    let mut clock = CLOCK.lock();
    let (lost, kept) = std::mem::take(&mut clock.armed)
        .into_iter()
        .partition(|(_, (place, _))| *place == RUNTIME);
    clock.armed = kept;
    lost
}

fn wake(timers: Timers) {
    for (_, waker) in timers.into_values() {
        waker.wake();
    }
}

pub(crate) fn place() -> Place {
    RUNTIME
}

/// The runtime of an execution is one of several threads, unless the model says otherwise.
pub(crate) fn may_stall() -> bool {
    CLOCK.lock().may_stall
}

/// Runs `job` here: the helper thread, as if it were as fast as can be.
pub(crate) fn defer(job: impl FnOnce() + Send + 'static) {
    job();
}

pub(crate) struct Timer {
    key: (u64, u64),
}

impl Timer {
    /// Checks the time and arms in one critical section; `None` when `deadline` has come.
    pub(crate) fn arm(place: Place, deadline: u64, waker: &Waker) -> Option<Timer> {
        let waker = waker.clone();
        let mut clock = CLOCK.lock();
        if clock.now >= deadline {
            drop(clock);
            return None;
        }
        let key = (deadline, clock.next_id);
        clock.next_id += 1;
        clock.armed.insert(key, (place, waker));
        Some(Timer { key })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let removed = CLOCK.lock().armed.remove(&self.key);
        drop(removed);
    }
}
