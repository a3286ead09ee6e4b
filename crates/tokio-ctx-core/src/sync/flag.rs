//! Flags: the same code with a checker's atomics, which explores it in full, and with std's.

use super::backend::platform::sync::atomic::{AtomicU32, Ordering};

/// Makes loom explore both orders of an access and another thread's store.
///
/// loom misses executions when the thread that stores has itself loaded the atomic before
/// (tokio-rs/loom#392), and our cancel does: it walks, then stores. A read-modify-write of a
/// companion ahead of each access is a point at which loom branches; stale reads are still
/// explored. `tests/models/litmus.rs` holds this to it.
///
/// It also reports a flag that is never dropped, and with it a node: a forgotten std `Arc` would
/// pass unseen. Without a checker it is nothing.
struct Branch {
    #[cfg(any(loom, shuttle))]
    companion: AtomicU32,
    #[cfg(loom)]
    _tracked: loom::alloc::Track<()>,
}

impl Branch {
    fn new() -> Branch {
        Branch {
            #[cfg(any(loom, shuttle))]
            companion: AtomicU32::new(0),
            #[cfg(loom)]
            _tracked: loom::alloc::Track::new(()),
        }
    }

    #[inline]
    fn here(&self) {
        #[cfg(any(loom, shuttle))]
        self.companion.fetch_add(0, Ordering::Relaxed);
    }
}

/// A number that is published with `Release` and read with `Acquire`.
pub(crate) struct AtomicFlag(AtomicU32, Branch);

impl AtomicFlag {
    pub(crate) fn new(value: u32) -> AtomicFlag {
        AtomicFlag(AtomicU32::new(value), Branch::new())
    }

    #[inline]
    pub(crate) fn load(&self) -> u32 {
        self.1.here();
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn store(&self, value: u32) {
        self.1.here();
        self.0.store(value, Ordering::Release);
    }

    /// Stores `value` only over `from`.
    pub(crate) fn replace(&self, from: u32, value: u32) {
        self.1.here();
        let _ = self
            .0
            .compare_exchange(from, value, Ordering::Release, Ordering::Relaxed);
    }
}
