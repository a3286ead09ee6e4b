//! The one seam to the platform.
//!
//! Kernels are written against this module and nothing else that blocks, wakes, tells the
//! time or shares memory between threads. It is the only place where a back end is chosen;
//! the back ends are twin files with the same items and the same signatures.
//!
//! [`std::sync::Arc`] and [`std::sync::Weak`] are used as they are in every back end, so no
//! protocol may decide anything by a reference count, except to free memory.

#[cfg(not(any(loom, shuttle)))]
mod native;
#[cfg(not(any(loom, shuttle)))]
pub use native::CancellationToken;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use native::*;

#[cfg(any(loom, shuttle))]
mod modelled;
#[cfg(any(loom, shuttle))]
pub use modelled::CancellationToken;
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::*;
