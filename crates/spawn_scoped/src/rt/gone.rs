//! What a runtime says about a task that it no longer runs.

use std::any::Any;

/// Why a task that is over has no value.
pub(crate) enum Gone {
    /// Its future was dropped before its end.
    Dropped,
    /// Something of it panicked outside the poll that is guarded. In a model that is a finding.
    #[cfg_attr(
        any(loom, shuttle),
        expect(dead_code, reason = "a panic fails the model")
    )]
    Panicked(Box<dyn Any + Send>),
}
