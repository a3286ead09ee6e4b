//! The one place that knows which world the locks and atomics come from.
//!
//! `std.rs` and `loom.rs` have the same signatures; nothing outside this
//! module and `rt` asks which of the two it got.
//! `Arc` and `Weak` are always those of the standard library, so no protocol
//! here may branch on a reference count.

#[cfg(not(loom))]
mod std;
#[cfg(not(loom))]
pub(crate) use self::std::{Count, Flag, Global, Hint, Mutex, MutexGuard};

#[cfg(loom)]
mod loom;
#[cfg(loom)]
pub(crate) use self::loom::{Count, Flag, Global, Hint, Mutex, MutexGuard};
