//! A cell that is set once.

use std::sync::OnceLock;

use crate::sync::flag::AtomicFlag;

/// Stands in for std's `OnceLock`. `get` may miss a value that another thread is setting.
pub(crate) struct Slot<T> {
    value: OnceLock<T>,
    is_set: AtomicFlag,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Slot<T> {
        Slot {
            value: OnceLock::new(),
            is_set: AtomicFlag::new(0),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        match self.is_set.load() {
            0 => None,
            _ => self.value.get(),
        }
    }

    /// `init` may use what a checker explores only under a lock of the caller's.
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(init);
        self.is_set.store(1);
        value
    }

    pub(crate) fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}
