//! The one place that knows which world the locks and atomics come from: they are the same code
//! over std's and over a checker's. Nothing outside this module and `rt` asks which of the two it
//! got.
//! `Arc` and `Weak` are always those of the standard library, so no protocol
//! here may branch on a reference count.

#[cfg(any(loom, shuttle))]
pub(crate) mod modelled;
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::global;

#[cfg(not(any(loom, shuttle)))]
mod native;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use native::global;

#[cfg(loom)]
pub(crate) use loom as platform;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle as platform;
#[cfg(not(any(loom, shuttle)))]
use std as platform;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
/// A number that only ever saves work. No decision is wrong if it is stale, so models need not
/// explore it.
pub(crate) use std::sync::atomic::AtomicUsize as Hint;

pub(crate) use platform::sync::MutexGuard;
use platform::sync::atomic::AtomicBool;
pub(crate) use platform::sync::atomic::{AtomicUsize, Ordering};

/// A lock that a panic does not poison: no user code runs under ours, so a
/// panicking holder cannot have left the state half-written.
pub(crate) struct Mutex<T>(platform::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(platform::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flag that is raised once. Loom misses executions in which the storing thread
/// loaded the atomic first, so there each access also touches a companion,
/// which makes loom explore both orders.
#[derive(Debug)]
pub(crate) struct Flag {
    flag: AtomicBool,
    #[cfg(any(loom, shuttle))]
    companion: AtomicUsize,
}

impl Flag {
    pub(crate) fn new() -> Self {
        Self {
            flag: AtomicBool::new(false),
            #[cfg(any(loom, shuttle))]
            companion: AtomicUsize::new(0),
        }
    }

    /// Release, pairs with the Acquire of `is_raised`.
    pub(crate) fn raise(&self) {
        #[cfg(any(loom, shuttle))]
        self.companion.fetch_add(0, Ordering::Relaxed);
        self.flag.store(true, Ordering::Release);
    }

    /// Acquire, pairs with the Release of `raise`.
    pub(crate) fn is_raised(&self) -> bool {
        #[cfg(any(loom, shuttle))]
        self.companion.fetch_add(0, Ordering::Relaxed);
        self.flag.load(Ordering::Acquire)
    }
}

/// Runs foreign code and keeps its panic. In a model only what it throws on purpose: all other
/// panics are the checker's findings.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    match catch_unwind(AssertUnwindSafe(f)) {
        #[cfg(any(loom, shuttle))]
        Err(payload) if !payload.is::<modelled::Panic>() => std::panic::resume_unwind(payload),
        result => result,
    }
}
