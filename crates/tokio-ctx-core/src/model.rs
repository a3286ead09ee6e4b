//! What models of your own code need, under `--cfg loom` and `--cfg shuttle` only.
//!
//! Inside a model there is no runtime and no time: contexts are derived, waited for and
//! cancelled as ever, on the checker's threads, and the clock moves when [`advance`] is
//! called. `docs/loom.md` is the guide.

use std::future::Future;

use tokio::time::Instant;

use crate::sync::clock;
pub use crate::sync::modelled::timer::{advance, let_stall, lose_timers, stall};
use crate::sync::platform::future;

/// What the execution's clock says, for
/// [`Context::with_deadline`](crate::Context::with_deadline). Only meaningful in the same
/// execution.
#[must_use]
pub fn now() -> Instant {
    clock::instant_of(clock::now())
}

/// Drives a future to its end on this thread of the model.
pub fn block_on<F: Future>(future: F) -> F::Output {
    future::block_on(future)
}
