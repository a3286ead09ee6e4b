//! What models of your own code need, under `--cfg loom` and `--cfg shuttle` only.
//!
//! Inside a model there is no runtime and no time: contexts are derived, waited for and
//! cancelled as ever, on the checker's threads, and the clock moves when [`advance`] is
//! called. `docs/loom.md` is the guide.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{self, clock};

/// Moves the execution's clock, and wakes what waits for a deadline that has come.
///
/// It is an event of the calling thread like any other: the checker tries it before, between
/// and after the steps of the other threads.
pub fn advance(by: Duration) {
    clock::advance(by);
}

/// What the execution's clock says, for
/// [`Context::with_deadline`](crate::Context::with_deadline). Only meaningful in the same
/// execution.
#[must_use]
pub fn now() -> Instant {
    clock::instant_of(clock::now())
}

/// Does to timers what the shutdown of a runtime does: wakes them early and loses them.
pub fn lose_timers() {
    clock::lose_timers();
}

/// Makes the runtime of the execution one of a single thread, which may [`stall`].
pub fn let_stall() {
    clock::let_stall();
}

/// Leaves the runtime undriven: its timers that are armed never fire.
pub fn stall() {
    clock::stall();
}

/// Drives a future to its end on this thread of the model.
pub fn block_on<F: Future>(future: F) -> F::Output {
    sync::block_on(future)
}
