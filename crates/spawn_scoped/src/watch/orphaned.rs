//! What ends the grace of a scope that was dropped, and has its stragglers reported.

use std::sync::Arc;

use tokio_ctx_core::Context;

use crate::foreign::drop_quietly;
use crate::state::shared::Shared;
use crate::watch::reports;

/// To be called when the tasks of a ledger are handed over: the future that would see to them is
/// no longer there. A deadline with a callback, so no task and no thread of its own.
pub(crate) fn report_and_abort(scope: &Arc<Shared>) {
    scope.start_clock();
    let _since = scope.since_end();
    reports::expect(scope);
    let Some(grace) = scope.config().grace else {
        return;
    };
    let weak = Arc::downgrade(scope);
    let alarm = Context::background()
        .with_timeout(grace)
        .on_cancel(move |_| {
            if let Some(scope) = weak.upgrade() {
                scope.abort_all();
            }
        });
    let old = scope.cold.lock().orphan_grace.replace(alarm);
    drop_quietly(old);
}
