//! Promises 4 and 5: after the grace, what does not stop is aborted, and that is an error.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spawn_scoped::{Scope, ScopeOptions, model, scope};
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on, poll_once};

/// Stops at once what its cancel does not stop.
fn graceless() -> ScopeOptions<Failed> {
    ScopeOptions::new().grace(Duration::ZERO)
}

/// What no cancel stops.
async fn wait_for_ever(_token: Live) -> Result<(), Failed> {
    pending().await
}

/// Whether it waits already, or has not begun.
#[test]
fn a_task_that_does_not_stop_is_aborted_and_joined() {
    Model::of(400).explore(|_| {
        model::enable_abort();
        let live = Live::default();
        let parent = Context::background().with_cancel();
        let result = block_on(graceless().run(&parent, async |s| {
            let token = live.clone();
            s.spawn(|_ctx| wait_for_ever(token));
            parent.cancel();
            Ok(())
        }));
        assert_eq!(result, Err(Failed::Stopped(Reason::TaskAborted)));
        assert_eq!(live.count(), 0);
    });
}

/// The scope already waits for its tasks when one of them ends it.
#[test]
fn a_task_that_ends_its_scope_wakes_it_for_the_grace() {
    Model::of(500).huge().explore(|_| {
        model::enable_abort();
        let live = Live::default();
        let result = block_on(graceless().run(&Context::background(), async |s| {
            let (own, token) = (s.clone(), live.clone());
            s.spawn(|_ctx| wait_for_ever(token));
            s.spawn(async move |_| {
                own.cancel();
                Ok(())
            });
            Ok(())
        }));
        assert_eq!(result, Err(Failed::Stopped(Reason::TaskAborted)));
        assert_eq!(live.count(), 0);
    });
}

/// A sibling's spawn against the end of the grace: the new task is in the list that is aborted, or
/// it is aborted by whoever writes it down.
#[test]
fn a_task_spawned_at_the_end_of_the_grace_is_aborted() {
    Model::of(1_000)
        .large()
        .sees(&["spawned", "not spawned"])
        .explore(|seen| {
            model::enable_abort();
            let live = Live::default();
            // Not the checker's: it decides nothing.
            let spawned = Arc::new(AtomicBool::new(false));
            let parent = Context::background().with_cancel();
            let result = block_on(graceless().run(&parent, async |s| {
                let (again, token, mark) = (s.clone(), live.clone(), Arc::clone(&spawned));
                s.spawn(async move |_ctx| {
                    let task = again.task().under(&Context::background());
                    drop(task.spawn(|_ctx| wait_for_ever(token)));
                    mark.store(true, Ordering::Relaxed);
                    Ok(())
                });
                parent.cancel();
                Ok(())
            }));
            assert_eq!(result, Err(Failed::Stopped(Reason::TaskAborted)));
            assert_eq!(live.count(), 0);
            seen.mark(match spawned.load(Ordering::Relaxed) {
                true => "spawned",
                false => "not spawned",
            });
        });
}

/// A scope that is dropped against the end of the grace around it: its task is aborted with the
/// scopes below, or by whoever hands it over.
#[test]
fn a_task_handed_over_at_the_end_of_the_grace_is_aborted() {
    Model::of(1_000).huge().explore(|_| {
        model::enable_abort();
        let live = Live::default();
        let parent = Context::background().with_cancel();
        let result = block_on(graceless().run(&parent, async |s| {
            let token = live.clone();
            s.spawn(async move |ctx| {
                let inner = scope(&ctx, async move |s: Scope<Failed>| {
                    s.spawn(|_ctx| wait_for_ever(token));
                    Ok(())
                });
                // Not awaited any further.
                drop(poll_once(pin!(inner)).await);
                Ok(())
            });
            parent.cancel();
            Ok(())
        }));
        assert!(
            result.is_ok() || result == Err(Failed::Stopped(Reason::TaskAborted)),
            "{result:?}"
        );
        assert_eq!(live.count(), 0);
    });
}
