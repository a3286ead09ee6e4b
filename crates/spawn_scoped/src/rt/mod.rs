//! The one place that starts work: tokio tasks, or loom threads in a model.
//!
//! `std.rs` and `loom.rs` have the same signatures.

#[cfg(not(loom))]
mod std;
#[cfg(not(loom))]
pub(crate) use self::std::{
    AbortHandle, JoinHandle, Joined, Stamp, is_running, spawn, spawn_blocking, spawn_local,
};

#[cfg(loom)]
mod loom;
#[cfg(loom)]
pub(crate) use self::loom::{
    AbortHandle, JoinHandle, Joined, Stamp, is_running, spawn, spawn_blocking, spawn_local,
};
