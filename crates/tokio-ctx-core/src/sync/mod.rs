//! The one seam to the platform.
//!
//! Kernels are written against this module and nothing else that blocks, wakes, tells the
//! time or shares memory between threads. It is the only place where a back end is chosen. Locks
//! and flags are the same code over both; what takes the place of tokio's tokens and timers are
//! twin files with the same items and the same signatures.
//!
//! [`std::sync::Arc`] and [`std::sync::Weak`] are used as they are in every back end, so no
//! protocol may decide anything by a reference count, except to free memory.

mod backend;
pub(crate) mod clock;
mod flag;
mod lock;
mod shield;

#[cfg(any(loom, shuttle))]
pub(crate) mod modelled;
#[cfg(not(any(loom, shuttle)))]
mod native;

#[cfg(any(loom, shuttle))]
pub(crate) use self::backend::platform;
pub(crate) use self::backend::platform::{thread::LocalKey, thread_local};
pub(crate) use self::flag::AtomicFlag;
pub(crate) use self::lock::Mutex;
pub(crate) use self::shield::shield;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use self::native::{helper::defer, timer};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::OnceLock as Slot;
#[cfg(not(any(loom, shuttle)))]
pub use tokio_util::sync::CancellationToken;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use tokio_util::sync::{
    WaitForCancellationFuture as TokenWait, WaitForCancellationFutureOwned as TokenWaitOwned,
};

#[cfg(any(loom, shuttle))]
pub use self::modelled::token::CancellationToken;
#[cfg(any(loom, shuttle))]
pub(crate) use self::modelled::{
    slot::Slot,
    timer::{self, defer},
    token::{TokenWait, TokenWaitOwned},
};
