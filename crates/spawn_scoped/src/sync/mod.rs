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
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::PoisonError;
/// A number that only ever saves work. No decision is wrong if it is stale, so models need not
/// explore it.
pub(crate) use std::sync::atomic::AtomicUsize as Hint;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::coop::unconstrained;

pub(crate) use platform::sync::MutexGuard;
use platform::sync::atomic::AtomicBool;
pub(crate) use platform::sync::atomic::{AtomicUsize, Ordering};

use crate::foreign::OnDrop;

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

/// Makes loom explore every order of the accesses that it is called ahead of. Without a checker
/// it is nothing.
#[derive(Debug)]
struct Branch {
    #[cfg(any(loom, shuttle))]
    companion: AtomicUsize,
}

impl Branch {
    fn new() -> Self {
        Self {
            #[cfg(any(loom, shuttle))]
            companion: AtomicUsize::new(0),
        }
    }

    #[inline]
    fn here(&self) {
        #[cfg(any(loom, shuttle))]
        self.companion.fetch_add(0, Ordering::Relaxed);
    }
}

/// A flag that is raised once. Loom misses executions in which the storing thread
/// loaded the atomic first.
#[derive(Debug)]
pub(crate) struct Flag(AtomicBool, Branch);

impl Flag {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false), Branch::new())
    }

    /// Release, pairs with the Acquire of `is_raised`.
    pub(crate) fn raise(&self) {
        self.1.here();
        self.0.store(true, Ordering::Release);
    }

    /// Acquire, pairs with the Release of `raise`.
    pub(crate) fn is_raised(&self) -> bool {
        self.1.here();
        self.0.load(Ordering::Acquire)
    }
}

/// The slots of a limit: tokio's semaphore, inside of which a checker does not look.
pub(crate) struct Slots(Semaphore, Branch);

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        let semaphore = Semaphore::new(limit.min(Semaphore::MAX_PERMITS));
        Self(semaphore, Branch::new())
    }

    /// Takes a slot if one is free.
    pub(crate) fn try_take(&self) -> bool {
        self.1.here();
        let permit = self.0.try_acquire();
        permit.map(SemaphorePermit::forget).is_ok()
    }

    /// Takes a slot once it is this one's turn. Dropped before, it takes none.
    pub(crate) async fn take(&self) {
        let mut turn = pin!(unconstrained(self.0.acquire()));
        let _before_it_is_given_up = OnDrop(Some(|| self.1.here()));
        let permit = poll_fn(|cx| {
            self.1.here();
            turn.as_mut().poll(cx)
        });
        // It is never closed.
        let _ = permit.await.map(SemaphorePermit::forget);
    }

    /// Gives a slot back, or passes it on to the longest waiter.
    pub(crate) fn give_back(&self) {
        self.1.here();
        self.0.add_permits(1);
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
