//! Promises 2, 4 and 15: who decides.

use spawn_scoped::{Scope, TaskFailure, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use super::harness::{Model, block_on, spawn};

/// An error with the name of who failed.
#[derive(Debug, PartialEq)]
enum Failed {
    By(&'static str),
    Stopped(Reason),
}

impl From<Cancelled> for Failed {
    fn from(cancelled: Cancelled) -> Self {
        Failed::Stopped(cancelled.reason())
    }
}

#[test]
fn an_error_stops_the_sibling_and_is_the_result() {
    Model::of(1_000).huge().explore(|_| {
        let result = block_on(scope(&Context::background(), async |s| {
            s.spawn(async |ctx| Err::<(), _>(Failed::from(ctx.done().await)));
            s.spawn(async |_| Err::<(), _>(Failed::By("a")));
            Ok(())
        }));
        assert_eq!(result, Err(Failed::By("a")));
    });
}

#[test]
fn one_of_two_errors_is_the_result_and_the_cause() {
    Model::of(1_000).huge().sees(&["a", "b"]).explore(|seen| {
        let mut escaped = None;
        let result = block_on(scope(&Context::background(), async |s| {
            escaped = Some(s.context().clone());
            for name in ["a", "b"] {
                let task = s.task().name(name);
                task.spawn(async move |_| Err::<(), _>(Failed::By(name)));
            }
            Ok(())
        }));
        let Err(Failed::By(name)) = result else {
            panic!("{result:?}");
        };
        let cancelled = escaped.and_then(|ctx| ctx.err()).unwrap();
        let failure: &TaskFailure = cancelled.cause().unwrap();
        assert_eq!(failure.name(), Some(name));
        seen.mark(name);
    });
}

#[test]
fn an_error_against_the_owners_cancel_decides_or_is_late() {
    Model::of(4_000)
        .sees(&["failed", "enough"])
        .explore(|seen| {
            let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
                s.spawn(async |_| Err::<(), _>(Failed::By("a")));
                Ok(s.cancel())
            }));
            match result {
                // The cancel won, and then the error must not decide.
                Ok(true) => seen.mark("enough"),
                Err(Failed::By("a")) => seen.mark("failed"),
                other => panic!("{other:?}"),
            }
        });
}

#[test]
fn a_cancellable_task_ends_or_is_stopped_by_the_parent() {
    Model::of(10_000)
        .large()
        .sees(&["ended", "stopped"])
        .explore(|seen| {
            let parent = Context::background().with_cancel();
            let mut canceller = None;
            let result = block_on(scope(&parent, async |s| {
                // Spawned first, so that it is never refused.
                s.task().spawn_cancellable(async { Ok::<_, Failed>(()) });
                let handle = parent.handle();
                canceller = Some(spawn(move || {
                    handle.cancel();
                }));
                Ok(())
            }));
            match result {
                Ok(()) => seen.mark("ended"),
                Err(Failed::Stopped(Reason::Cancelled)) => seen.mark("stopped"),
                other => panic!("{other:?}"),
            }
            canceller.unwrap().join().unwrap();
        });
}
