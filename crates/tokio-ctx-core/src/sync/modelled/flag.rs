//! Flags that a checker explores in full.

#[cfg(loom)]
use loom as backend;
#[cfg(all(shuttle, not(loom)))]
use shuttle as backend;

use backend::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// Makes loom explore both orders of an access and another thread's store.
///
/// loom misses executions when the thread that stores has itself loaded the atomic before
/// (tokio-rs/loom#392), and our cancel does: it walks, then stores. A read-modify-write of a
/// companion ahead of each access is a point at which loom branches; stale reads are still
/// explored. `tests/models/litmus.rs` holds this to it.
#[derive(Debug)]
struct Branch(AtomicU8);

impl Branch {
    fn new() -> Branch {
        Branch(AtomicU8::new(0))
    }

    fn here(&self) {
        self.0.fetch_add(0, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct AtomicFlag(AtomicU8, Branch);

impl AtomicFlag {
    pub(crate) fn new(value: u8) -> Self {
        AtomicFlag(AtomicU8::new(value), Branch::new())
    }

    pub(crate) fn load(&self) -> u8 {
        self.1.here();
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u8) {
        self.1.here();
        self.0.store(value, Ordering::Release);
    }

    pub(crate) fn raise(&self, from: u8, value: u8) {
        self.1.here();
        let _ = self
            .0
            .compare_exchange(from, value, Ordering::Release, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct AtomicPlace(AtomicU32, Branch);

impl AtomicPlace {
    pub(crate) fn new(value: u32) -> Self {
        AtomicPlace(AtomicU32::new(value), Branch::new())
    }

    pub(crate) fn load(&self) -> u32 {
        self.1.here();
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u32) {
        self.1.here();
        self.0.store(value, Ordering::Release);
    }

    pub(crate) fn clear(&self, from: u32) {
        self.1.here();
        let _ = self
            .0
            .compare_exchange(from, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}
