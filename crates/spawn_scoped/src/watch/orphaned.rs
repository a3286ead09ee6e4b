//! What reports the stragglers of a scope that was dropped, and ends their grace.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_ctx_core::{Context, OnCancel};

use crate::rt::Stamp;
use crate::state::shared::{Chase, Shared, drop_quietly};
use crate::watch::straggler::{REPORT_EVERY, log, own};

/// A callback at a deadline; dropping it is taking it back.
fn alarm(delay: Duration, ring: impl FnOnce() + Send + 'static) -> OnCancel {
    Context::background()
        .with_timeout(delay)
        .on_cancel(move |_| ring())
}

impl Chase {
    /// Begins when the tasks of a ledger are handed over.
    pub(crate) fn start(scope: &Arc<Shared>) {
        scope.start_clock();
        let since = *scope.rare.lock().ended.get_or_insert_with(Stamp::now);
        let grace = scope.grace().map(|grace| {
            let scope = Arc::downgrade(scope);
            alarm(grace, move || {
                if let Some(scope) = scope.upgrade() {
                    scope.abort_all();
                }
            })
        });
        Self::arm(scope, since, grace);
    }

    fn arm(scope: &Arc<Shared>, since: Stamp, grace: Option<OnCancel>) {
        let weak = Arc::downgrade(scope);
        let report = alarm(REPORT_EVERY, move || Self::ring(&weak, since));
        let chase = Chase {
            _report: report,
            grace,
        };
        let old = scope.rare.lock().chase.replace(chase);
        drop_quietly(old);
        // The last one may have left meanwhile, and found nothing to take.
        if scope.ledger.is_empty() {
            let late = scope.rare.lock().chase.take();
            drop_quietly(late);
        }
    }

    fn ring(scope: &Weak<Shared>, since: Stamp) {
        let Some(scope) = scope.upgrade() else { return };
        let Some(cause) = scope.context().err() else {
            return;
        };
        log(&scope, &own(&scope), &cause, since);
        let grace = scope
            .rare
            .lock()
            .chase
            .as_mut()
            .and_then(|chase| chase.grace.take());
        Self::arm(&scope, since, grace);
    }
}
