//! The facade over the standard library.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

pub(crate) use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};

/// A lock that a panic does not poison: no user code runs under ours, so a
/// panicking holder cannot have left the state half-written.
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flag that is raised once.
#[derive(Debug)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Release, pairs with the Acquire of `is_raised`.
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Acquire, pairs with the Release of `raise`.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A number that only ever saves work; no decision is wrong if it is stale.
#[derive(Debug)]
pub(crate) struct Hint(AtomicUsize);

impl Hint {
    pub(crate) const fn new(value: usize) -> Self {
        Self(AtomicUsize::new(value))
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A static that is made when first asked for.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attr])*
        static $name: ::std::sync::LazyLock<$type> = ::std::sync::LazyLock::new(|| $init);
    };
}
pub(crate) use global;

/// Runs foreign code and keeps its panic.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}
