//! The facade over the standard library.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use std::sync::MutexGuard;

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

/// The tickets that the body of a scope holds for its tasks at first.
pub(crate) const STOCK: usize = 1 << 20;

/// The mark is the lowest bit, and the number stands above it.
const MARK: usize = 1;
const ONE: usize = 2;

/// The number of live tickets, and a mark that once set stays.
pub(crate) struct Count(AtomicUsize);

/// What is left of a count.
pub(crate) struct Left {
    pub(crate) num: usize,
    pub(crate) is_marked: bool,
}

impl Count {
    pub(crate) const fn new(num: usize) -> Self {
        Self(AtomicUsize::new(num * ONE))
    }

    /// Adds `num`. Relaxed: the caller already holds a ticket, so the number
    /// cannot reach zero meanwhile, and it publishes nothing.
    pub(crate) fn add(&self, num: usize) {
        self.0.fetch_add(num * ONE, Ordering::Relaxed);
    }

    /// Adds one unless the number is zero; zero is final.
    pub(crate) fn add_unless_zero(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed);
        while seen >= ONE {
            match self.0.compare_exchange_weak(
                seen,
                seen + ONE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Takes `num` away. AcqRel: what a task did before it left happens before
    /// what the one who reaches zero does next, or who sees the zero.
    #[inline]
    pub(crate) fn sub(&self, num: usize) -> Left {
        let before = self.0.fetch_sub(num * ONE, Ordering::AcqRel);
        Left {
            num: before / ONE - num,
            is_marked: before & MARK != 0,
        }
    }

    /// Sets the mark and returns the number. AcqRel: who takes the number to zero
    /// later sees the mark and what was done before; who has done so earlier is seen.
    pub(crate) fn mark(&self) -> usize {
        self.0.fetch_or(MARK, Ordering::AcqRel) / ONE
    }

    /// Whether the number is zero. Acquire, pairs with `sub`.
    #[inline]
    pub(crate) fn is_zero(&self) -> bool {
        self.0.load(Ordering::Acquire) < ONE
    }

    /// The number, to show or as a hint; no decision may be wrong if it is stale.
    pub(crate) fn peek(&self) -> usize {
        self.0.load(Ordering::Relaxed) / ONE
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
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
