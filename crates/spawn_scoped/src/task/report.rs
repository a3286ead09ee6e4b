//! What nobody has seen of an isolated task.

use tokio_ctx_core::Reason;
use tracing::Level;

use crate::data::failure::TaskFailure;
use crate::sync::Mutex;

/// The failure of an isolated task until somebody sees it. The task and its handle share it; when
/// both are gone, it is logged.
pub(crate) struct Report(Mutex<Option<TaskFailure>>);

impl Report {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// How the task ended, if not well.
    pub(super) fn put(&self, failure: TaskFailure) {
        *self.0.lock() = Some(failure);
    }

    /// Somebody looks.
    pub(crate) fn mark_seen(&self) {
        let _seen = self.0.lock().take();
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(failure) = self.0.lock().take() {
            let (level, what) = match failure.reason() {
                Reason::TaskPanicked => (Level::ERROR, "panicked"),
                _ => (Level::WARN, "failed"),
            };
            let what = format!("an isolated task {what}, and nobody awaited it");
            failure.log(level, None, &what);
        }
    }
}
