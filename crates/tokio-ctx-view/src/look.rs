//! One snapshot for all viewers who look at about the same time.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_ctx_core::Context;

use crate::report::Report;
use crate::text;

/// All viewers who look within this time share one snapshot.
const FRESH: Duration = Duration::from_millis(250);

/// What all clones of a view, and its streams, share.
pub(crate) struct Shared {
    /// Streams end with it.
    // ctx-lint: allow(context-in-struct) the lifetime of the view, which its streams end with
    pub(crate) ctx: Context,
    pub(crate) max_tasks: usize,
    pub(crate) since: Instant,
    pub(crate) last: Mutex<Option<Arc<Looked>>>,
}

/// One snapshot, and the forms in which it was requested.
pub(crate) struct Looked {
    at: Instant,
    report: Report,
    json: OnceLock<Bytes>,
    text: OnceLock<Bytes>,
}

impl Shared {
    /// What runs now, or did a moment ago.
    pub(crate) fn look(&self) -> Arc<Looked> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(looked) if looked.at.elapsed() < FRESH => Arc::clone(looked),
            _ => {
                let looked = Arc::new(Looked {
                    at: Instant::now(),
                    report: Report::now(self.max_tasks, Some(self.since)),
                    json: OnceLock::new(),
                    text: OnceLock::new(),
                });
                *last = Some(Arc::clone(&looked));
                looked
            }
        }
    }
}

impl Looked {
    pub(crate) fn json(&self) -> Bytes {
        let json = || serde_json::to_vec(&self.report).unwrap_or_default().into();
        self.json.get_or_init(json).clone()
    }

    pub(crate) fn text(&self) -> Bytes {
        self.text
            .get_or_init(|| text::of(&self.report).into())
            .clone()
    }
}
