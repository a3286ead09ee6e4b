//! Promise 16: the body ends with the failure that ends the scope, and with nothing else.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on, spawn};

/// The body waits for something that never comes.
#[test]
fn a_failure_ends_a_body_that_waits() {
    Model::of(1_000).large().explore(|_| {
        let live = Live::default();
        let result = block_on(scope(&Context::background(), async |s| {
            let _held = live.clone();
            s.spawn(async |_| Err::<(), _>(Failed::Own));
            pending::<Result<(), _>>().await
        }));
        assert_eq!(result, Err(Failed::Own));
        assert_eq!(live.count(), 0);
    });
}

/// Two failures, of which only one is the cause of the end.
#[test]
fn one_of_two_failures_ends_a_body_that_waits() {
    Model::of(1_000).huge().explore(|_| {
        let result = block_on(scope(&Context::background(), async |s| {
            s.spawn(async |_| Err::<(), _>(Failed::Own));
            s.spawn(async |_| Err::<(), _>(Failed::Own));
            pending::<Result<(), _>>().await
        }));
        assert_eq!(result, Err(Failed::Own));
    });
}

/// If the parent was faster, the body is only asked, and goes on.
#[test]
fn a_failure_against_the_parents_cancel_ends_the_body_or_asks_it() {
    Model::of(1_000)
        .huge()
        .sees(&["ended", "asked"])
        .explore(|seen| {
            let parent = Context::background().with_cancel();
            // Not the checker's: they decide nothing.
            let went_on = Arc::new(AtomicBool::new(false));
            let (mut canceller, mut ctx) = (None, None);
            let result = block_on(scope(&parent, async |s: Scope<Failed>| {
                ctx = Some(s.context().clone());
                s.spawn(async |_| Err::<(), _>(Failed::Own));
                let handle = parent.handle();
                canceller = Some(spawn(move || handle.cancel()));
                s.context().done().await;
                went_on.store(true, Ordering::Relaxed);
                Ok(())
            }));
            canceller.unwrap().join().unwrap();
            let why = ctx.and_then(|ctx| ctx.err()).unwrap().reason();
            assert_eq!(result, Err(Failed::Own));
            match why {
                Reason::TaskFailed => seen.mark("ended"),
                _ => {
                    assert!(went_on.load(Ordering::Relaxed));
                    seen.mark("asked");
                }
            }
        });
}
