//! What has happened to the connections of a pool: for metrics, and for tests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What has happened to the connections of a pool since it was made.
///
/// # Examples
///
/// ```
/// let counts = tokio_ctx_db::Counts::default();
/// assert_eq!(counts.lost(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Work that was cut: its context ended, or its future was dropped. A COPY that the server
    /// refused counts as well, and a COMMIT that was not answered within the grace. Of each, the
    /// connection is cleaned or lost in the end.
    pub cuts: u64,
    /// Cancels that were sent to the server; one cut may need several, or none.
    pub cancels: u64,
    /// Connections that were clean again after a cut.
    pub cleaned: u64,
    /// Connections that were closed because they were not clean within the grace.
    pub lost_to_grace: u64,
    /// Connections that were closed because a cancel failed, or did not come to an end in time.
    pub lost_to_cancel: u64,
    /// Connections that were found broken: the server had gone, or had closed them, or the driver
    /// had lost count of its answers, as after a COPY that was cut before it had begun.
    pub lost_to_server: u64,
    /// Connections that were closed because the runtime shut down before they were clean.
    pub lost_to_shutdown: u64,
}

impl Counts {
    /// Connections that were closed, for whatever reason.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(tokio_ctx_db::Counts::default().lost(), 0);
    /// ```
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_to_grace + self.lost_to_cancel + self.lost_to_server + self.lost_to_shutdown
    }
}

/// [`Counts`] as they are counted. Each is a counter of its own, without an order.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) cuts: AtomicU64,
    pub(crate) cancels: AtomicU64,
    pub(crate) cleaned: AtomicU64,
    pub(crate) lost_to_grace: AtomicU64,
    pub(crate) lost_to_cancel: AtomicU64,
    pub(crate) lost_to_server: AtomicU64,
    pub(crate) lost_to_shutdown: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        Counts {
            cuts: self.cuts.load(Relaxed),
            cancels: self.cancels.load(Relaxed),
            cleaned: self.cleaned.load(Relaxed),
            lost_to_grace: self.lost_to_grace.load(Relaxed),
            lost_to_cancel: self.lost_to_cancel.load(Relaxed),
            lost_to_server: self.lost_to_server.load(Relaxed),
            lost_to_shutdown: self.lost_to_shutdown.load(Relaxed),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
