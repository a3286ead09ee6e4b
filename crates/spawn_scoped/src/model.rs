//! What models of your own scopes need, under `--cfg loom` and `--cfg shuttle` only.
//!
//! Time, and what else contexts need, is in [`tokio_ctx_core::model`].

/// The payload of a panic that a model throws on purpose, with
/// [`std::panic::resume_unwind`], which prints nothing.
///
/// A scope treats it as it treats every panic outside of models: it cancels the siblings, joins
/// them, and resumes the panic in who awaits the scope. Any other panic in a model is a finding,
/// and ends it there and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic(
    /// To tell several apart.
    pub u32,
);

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
