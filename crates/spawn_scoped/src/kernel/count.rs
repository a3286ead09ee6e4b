//! The number of live tickets: the same code over the atomics of either world, so that the
//! orderings which models check are those that run.

use crate::sync::{AtomicUsize, Ordering};

/// The mark is the lowest bit, and the number stands above it.
const MARK: usize = 1;
const ONE: usize = 2;

/// The number of live tickets, and a mark that once set stays.
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new(num: usize) -> Self {
        Self(AtomicUsize::new(num * ONE))
    }

    /// Adds one. Relaxed: the caller already holds a ticket, so the number
    /// cannot reach zero meanwhile, and it publishes nothing.
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(ONE, Ordering::Relaxed);
    }

    /// Adds one unless the number is zero; zero is final.
    pub(crate) fn add_unless_zero(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                (seen >= ONE).then(|| seen + ONE)
            })
            .is_ok()
    }

    /// Takes one away: the number that is left, and whether there is the mark. AcqRel: what a task did before it left happens before
    /// what the one who reaches zero does next, or who sees the zero.
    #[inline]
    pub(crate) fn sub_one(&self) -> (usize, bool) {
        let before = self.0.fetch_sub(ONE, Ordering::AcqRel);
        (before / ONE - 1, before & MARK != 0)
    }

    /// Sets the mark and returns the number. AcqRel: a thread that takes the number to zero
    /// later sees the mark and what was done before; one that has done so earlier is seen.
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
