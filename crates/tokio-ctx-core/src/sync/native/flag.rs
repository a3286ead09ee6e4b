//! Flags.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

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
