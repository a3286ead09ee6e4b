//! Promises 2, 4 and 7, against a cancel from above.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;

use spawn_scoped::model::Panic;
use spawn_scoped::{Scope, ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use super::harness::{Failed, Model, block_on, poll_once, spawn};

/// The result and the context's end tell one story, whoever was first.
#[test]
fn a_first_error_against_the_parents_cancel() {
    Model::of(9_000).large().sees(&["failed"]).explore(|seen| {
        let parent = Context::background().with_cancel();
        let (mut canceller, mut ctx) = (None, None);
        let result = block_on(scope(&parent, async |s: Scope<Failed>| {
            ctx = Some(s.context().clone());
            s.spawn(async |ctx| Err::<(), _>(Failed::from(ctx.done().await)));
            let handle = parent.handle();
            canceller = Some(spawn(move || handle.cancel()));
            Err::<(), _>(Failed::Own)
        }));
        canceller.unwrap().join().unwrap();
        let reason = ctx.and_then(|ctx| ctx.err()).unwrap().reason();
        match result {
            Err(Failed::Own) => {
                assert!([Reason::TaskFailed, Reason::Cancelled].contains(&reason));
                seen.mark("failed");
            }
            // The task that was stopped never hides it, whichever came first.
            Err(Failed::Stopped(why)) => panic!("the body's own error was hidden: {why:?}"),
            Ok(()) => panic!("the body failed"),
        }
    });
}

/// A panic is resumed in who awaits the scope, also when an error was first; the context's end
/// says which was.
#[test]
fn a_panic_against_an_error() {
    Model::of(9_000)
        .large()
        .sees(&["panicked", "failed"])
        .explore(|seen| {
            let mut ctx = None;
            let root = Context::background();
            let scope = scope(&root, async |s: Scope<Failed>| {
                ctx = Some(s.context().clone());
                // In this order, so that the panic is never refused.
                s.spawn(async |_| -> () { resume_unwind(Box::new(Panic(7))) });
                s.spawn(async |_| Err::<(), _>(Failed::Own));
                Ok(())
            });
            let payload = catch_unwind(AssertUnwindSafe(|| block_on(scope))).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&Panic(7)));
            match ctx.and_then(|ctx| ctx.err()).unwrap().reason() {
                Reason::TaskPanicked => seen.mark("panicked"),
                Reason::TaskFailed => seen.mark("failed"),
                reason => panic!("ended with {reason:?}"),
            }
        });
}

/// A waiter for a slot is told of the end of the context, or gets the slot; never neither.
#[test]
fn a_slot_against_the_cancel() {
    Model::of(2_000)
        .large()
        .sees(&["spawned", "refused"])
        .explore(|seen| {
            let parent = Context::background().with_cancel();
            let mut canceller = None;
            let limited = ScopeOptions::<Failed>::new().limit(1);
            let result = block_on(limited.run(&parent, async |s| {
                assert!(
                    s.task()
                        .try_slot()
                        .map(|slot| slot.spawn(async |_| Ok(())))
                        .is_ok()
                );
                let handle = parent.handle();
                canceller = Some(spawn(move || handle.cancel()));
                let second = match s.slot().await {
                    Ok(slot) => slot
                        .try_slot()
                        .map(|slot| slot.spawn(async |_| Ok(())))
                        .is_ok(),
                    Err(_) => false,
                };
                seen.mark(if second { "spawned" } else { "refused" });
                Ok(())
            }));
            assert!(matches!(
                result,
                Ok(()) | Err(Failed::Stopped(Reason::Cancelled))
            ));
            canceller.unwrap().join().unwrap();
        });
}

/// A waiter for a slot that never comes free is told of the end of the context.
#[test]
fn a_waiter_for_a_slot_hears_the_cancel() {
    Model::of(2_000).large().explore(|_| {
        let parent = Context::background().with_cancel();
        let hold = Context::background().with_cancel();
        let mut canceller = None;
        let limited = ScopeOptions::<Failed>::new().limit(1);
        let result = block_on(limited.run(&parent, async |s| {
            let held = Context::clone(&hold);
            let first = s.task().try_slot().map(|slot| {
                slot.spawn(async move |_| {
                    held.done().await;
                    Ok(())
                })
            });
            assert!(first.is_ok());
            let handle = parent.handle();
            canceller = Some(spawn(move || handle.cancel()));
            assert!(s.slot().await.is_err());
            hold.cancel();
            Ok(())
        }));
        assert_eq!(result, Ok(()));
        canceller.unwrap().join().unwrap();
    });
}

/// A waiter that gives up may have been given the slot already: it gives it back, or passes it on.
#[test]
fn a_waiter_that_gives_up_keeps_no_slot() {
    Model::of(1_500).sees(&["slot", "none"]).explore(|seen| {
        let limited = ScopeOptions::<Cancelled>::new().limit(1);
        let result = block_on(limited.run(&Context::background(), async |s| {
            assert!(
                s.task()
                    .try_slot()
                    .map(|slot| slot.spawn(async |_| Ok(())))
                    .is_ok()
            );
            let hasty = poll_once(pin!(s.slot())).await;
            seen.mark(if hasty.is_some() { "slot" } else { "none" });
            drop(hasty);
            assert!(s.slot().await.is_ok());
            Ok(())
        }));
        assert!(result.is_ok());
    });
}
