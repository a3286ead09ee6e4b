//! When stragglers are reported: by real time, on a thread of our own, so that no report needs a
//! runtime's timers or moves a clock that a test has paused. And what ends the grace of a scope
//! that was dropped.

use std::sync::{Arc, Weak};

use tokio_ctx_core::Context;
use tracing::dispatcher;

use crate::foreign::drop_quietly;
use crate::rt;
use crate::state::shared::Shared;
use crate::watch::straggler;

/// Sees to it that a report of `scope` is made in a while, unless one is expected.
pub(crate) fn expect(scope: &Arc<Shared>) {
    if scope.cold.lock().report_expected.is_none() {
        expect_next(scope);
    }
}

/// The same after a report.
pub(crate) fn expect_next(scope: &Arc<Shared>) {
    let weak = Arc::downgrade(scope);
    // The subscriber may be this thread's own.
    let dispatch = dispatcher::get_default(Clone::clone);
    let reminder = rt::after_report_period(move || {
        dispatcher::with_default(&dispatch, || fall_due(&weak));
    });
    let old = scope.cold.lock().report_expected.replace(reminder);
    drop(old);
}

/// Whether the report that the future of `scope` makes has fallen due.
pub(crate) fn take_due(scope: &Shared) -> bool {
    std::mem::take(&mut scope.cold.lock().report_due)
}

fn fall_due(scope: &Weak<Shared>) {
    let Some(scope) = scope.upgrade() else { return };
    let expected = scope.cold.lock().report_expected.take();
    drop(expected);
    if scope.ledger.is_empty() {
        return;
    }
    // Its own future reports: where its spans are, and by the clock that it runs on.
    scope.cold.lock().report_due = true;
    if !scope.wake_owner() && take_due(&scope) {
        if let Some(cause) = scope.context().err() {
            straggler::report_own(&scope, &cause);
        }
        expect_next(&scope);
    }
}

/// To be called when the tasks of a ledger are handed over: the future that would see to them is
/// no longer there. A deadline with a callback, so no task and no thread of its own.
pub(crate) fn report_and_abort(scope: &Arc<Shared>) {
    scope.start_clock();
    let _since = scope.since_end();
    expect(scope);
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
