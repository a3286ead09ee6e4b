//! Jobs for the blocking pool, as both worlds see them.

use tokio_ctx_core::{Cancelled, OnCancel};

/// What waits in the queue of the blocking pool, or has come out of it. In a box within the
/// pointer, so that a weak one is one word.
pub(crate) type Job = Box<dyn Queued>;

pub(crate) trait Queued: Send + Sync {
    /// Runs it, if it is still there.
    fn begin(&self);

    /// Takes it out of the queue because its context has ended, or else aborts it, unless it
    /// has begun.
    fn give_up(&self, ended: Option<Cancelled>);

    /// Keeps what gives it up as long as it is in the queue. Given back if it is not.
    fn register(&self, registration: OnCancel) -> Option<OnCancel>;

    /// Whether it has ended, or was taken out.
    fn is_finished(&self) -> bool;
}
