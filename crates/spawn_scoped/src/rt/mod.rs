//! The one place that starts work: tokio tasks, or a checker's threads in a model.
//!
//! `native.rs` and `modelled.rs` have the same signatures.

#[cfg(not(any(loom, shuttle)))]
mod native;
#[cfg(not(any(loom, shuttle)))]
mod real_time;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use native::*;

#[cfg(any(loom, shuttle))]
mod modelled;
#[cfg(any(loom, shuttle))]
pub(crate) mod pool;
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::*;

mod gone;
mod handle;
mod queued;
pub(crate) use gone::Gone;
pub(crate) use handle::JoinHandle;
pub(crate) use queued::{Job, Queued};
