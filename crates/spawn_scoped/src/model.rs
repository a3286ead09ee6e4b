//! What models of your own scopes need, under `--cfg loom` and `--cfg shuttle` only.
//!
//! Time, and what else contexts need, is in [`tokio_ctx_core::model`].

pub use crate::sync::modelled::Panic;

/// Lets the tasks of this execution share `number` threads, from the next task on.
///
/// By default each task has a thread of its own, of which loom allows four beside the main
/// one. One thread alone finds next to nothing, since tasks then only meet at an `await`; two
/// find most. To be called at the beginning of the model.
pub fn set_task_threads(number: usize) {
    crate::rt::pool::set_threads(number);
}

/// Lets the end of a grace abort tasks in this execution, from the next task on, as it does
/// outside of models.
///
/// Without it an abort does nothing, since asking for one at each poll makes any model larger. To
/// be called at the beginning of the model.
pub fn enable_abort() {
    crate::rt::pool::enable_abort();
}
