//! The back end of every ordinary build: std's locks, tokio's clock, tokio-util's token.

pub(crate) mod clock;
mod helper;
pub(crate) mod timer;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

pub(crate) use self::helper::defer;
pub(crate) use std::sync::OnceLock as Slot;
pub(crate) use std::thread_local;
pub use tokio_util::sync::CancellationToken;
pub(crate) use tokio_util::sync::WaitForCancellationFuture as TokenWait;
pub(crate) use tokio_util::sync::WaitForCancellationFutureOwned as TokenWaitOwned;

/// A mutex without poison: no foreign code runs under our locks, so a panic while one is
/// held is a bug of this crate, and a second panic on a drop path would hide the first.
#[derive(Debug)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A byte that only grows: each value is published with `Release` and read with `Acquire`.
#[derive(Debug)]
pub(crate) struct AtomicFlag(AtomicU8);

impl AtomicFlag {
    pub(crate) const fn new(value: u8) -> Self {
        AtomicFlag(AtomicU8::new(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn store(&self, value: u8) {
        self.0.store(value, Ordering::Release);
    }

    /// Stores `value` only over `from`.
    pub(crate) fn raise(&self, from: u8, value: u8) {
        let _ = self
            .0
            .compare_exchange(from, value, Ordering::Release, Ordering::Relaxed);
    }
}

/// The id of a place where timers run; see [`timer::Place`].
#[derive(Debug)]
pub(crate) struct AtomicPlace(AtomicU32);

impl AtomicPlace {
    pub(crate) const fn new(value: u32) -> Self {
        AtomicPlace(AtomicU32::new(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }

    pub(crate) fn clear(&self, from: u32) {
        let _ = self
            .0
            .compare_exchange(from, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Nothing: model checkers track what is never dropped.
pub(crate) struct Tracked;

impl Tracked {
    pub(crate) const fn new() -> Self {
        Tracked
    }
}

/// Runs foreign code whose panic must not reach the caller.
pub(crate) fn shield<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}

thread_local! {
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread only asked a question; relays then leave the callbacks to the helper
/// thread.
pub(crate) fn is_asking() -> bool {
    ASKING.try_with(Cell::get).unwrap_or(false)
}

/// Sets [`is_asking`] while `f` runs, and restores it, also when `f` panics.
pub(crate) fn with_asking<R>(asking: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = ASKING.try_with(|cell| cell.set(self.0));
        }
    }
    let _restore = Restore(
        ASKING
            .try_with(|cell| cell.replace(asking))
            .unwrap_or(asking),
    );
    f()
}
