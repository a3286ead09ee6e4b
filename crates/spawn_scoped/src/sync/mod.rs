//! The one place that knows which world the locks and atomics come from.
//!
//! `native.rs` and `modelled.rs` have the same signatures; nothing outside this
//! module and `rt` asks which of the two it got.
//! `Arc` and `Weak` are always those of the standard library, so no protocol
//! here may branch on a reference count.

#[cfg(not(any(loom, shuttle)))]
mod native;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use native::*;

#[cfg(any(loom, shuttle))]
pub(crate) mod modelled;
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::*;
