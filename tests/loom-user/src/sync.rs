//! The locks: loom's inside a model, std's elsewhere.

#[cfg(loom)]
pub use loom::sync::Mutex;
#[cfg(not(loom))]
pub use std::sync::Mutex;
