//! Tasks that go on after they were asked to stop.

use std::sync::Arc;

use tokio_ctx_core::Cancelled;

use crate::data::entry::Entry;
use crate::data::task_snapshot::TaskSnapshot;
use crate::foreign;
use crate::state::shared::Shared;

/// At most so many are named in one report; the rest is counted.
const NAMED: usize = 16;

/// The unfinished tasks of a scope, of its background and of what it took
/// over, oldest scope first.
pub(crate) fn list(scope: &Arc<Shared>) -> Vec<TaskSnapshot> {
    let mut found = Vec::new();
    let mut todo = vec![scope.clone()];
    while let Some(scope) = todo.pop() {
        let ended = scope.context().err();
        let unfinished = scope.ledger.unfinished();
        let tasks = unfinished.iter();
        found.extend(tasks.map(|task| TaskSnapshot::of(task, ended.as_ref())));
        let below = scope.below().into_iter();
        todo.extend(below.filter(|below| below.is_handed_over()));
    }
    found
}

/// Logs which tasks still run in a scope that has waited for them since its context ended for
/// `cause`. Scopes that were taken over report their own.
pub(crate) fn report(scope: &Arc<Shared>, cause: &Cancelled) {
    let mut stragglers = scope.ledger.unfinished();
    if let Some(background) = scope.background() {
        stragglers.extend(background.ledger.unfinished());
    }
    if stragglers.is_empty() && list(scope).is_empty() {
        foreign::log(|| {
            tracing::warn!(
                scope = scope.name(),
                opened_at = %scope.location,
                since_cancel = ?scope.since_end(),
                cause = %cause,
                "the body of a scope still runs after its context ended",
            );
        });
    }
    log(scope, &stragglers, cause);
}

/// The same for a scope that was dropped.
pub(crate) fn report_own(scope: &Shared, cause: &Cancelled) {
    log(scope, &scope.ledger.unfinished(), cause);
}

fn log(scope: &Shared, stragglers: &[Entry], cause: &Cancelled) {
    let scope_name = scope.name();
    let since_cancel = scope.since_end();
    for task in stragglers.iter().take(NAMED) {
        foreign::log(|| {
            tracing::warn!(
                scope = scope_name,
                opened_at = %scope.location,
                task = task.who.name(),
                spawned_at = %task.who.location,
                kind = task.kind().as_str(),
                age = ?task.age(),
                since_cancel = ?since_cancel,
                cause = %cause,
                "a task still runs after its context ended",
            );
        });
    }
    if stragglers.len() > NAMED {
        foreign::log(|| {
            tracing::warn!(
                scope = scope_name,
                opened_at = %scope.location,
                since_cancel = ?since_cancel,
                "and {} more tasks go on",
                stragglers.len() - NAMED,
            );
        });
    }
}
