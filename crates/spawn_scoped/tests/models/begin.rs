//! Promise 6: what has not begun when its context ends does not begin, wherever it waits: in the
//! queue of the blocking pool, in the line for a slot, or in the call that starts it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spawn_scoped::{Ready, ScopeOptions, model, scope};
use tokio_ctx_core::Context;

use super::harness::{Failed, Live, Model, block_on, checker, poll_once, spawn};

/// Says that a task has begun. Not the checker's: it decides nothing.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicBool>);

impl Begun {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The pool has one thread, and its job ends because the context has: the next one in the queue
/// is looked at before the cancel has got to it, or after.
#[test]
fn a_blocking_task_in_the_queue_does_not_begin_after_the_end() {
    Model::of(400)
        .huge()
        .sees(&["the first begins", "none begins"])
        .explore(|seen| {
            model::set_task_threads(1);
            let live = Live::default();
            let (first, second) = (Begun::default(), Begun::default());
            let parent = Context::background().with_cancel();
            let result = block_on(scope(&parent, async |s| {
                let (mark, token) = (first.clone(), live.clone());
                s.spawn_blocking(move |ctx| {
                    let _held = token;
                    mark.set();
                    while !ctx.is_done() {
                        checker::thread::yield_now();
                    }
                    Ok::<_, Failed>(())
                });
                let (mark, token) = (second.clone(), live.clone());
                let queued = s.spawn_blocking(move |_| {
                    let _held = token;
                    mark.set();
                    Ok::<_, Failed>(())
                });
                parent.cancel();
                assert!(queued.await.is_err());
                Ok(())
            }));
            drop(result);
            assert!(!second.get(), "it began after its context had ended");
            assert_eq!(live.count(), 0);
            seen.mark(match first.get() {
                true => "the first begins",
                false => "none begins",
            });
        });
}

/// The only slot comes free because the context has ended: the first in the line starts nothing.
#[test]
fn a_task_in_the_line_for_a_slot_does_not_begin_after_the_end() {
    Model::of(2_500).huge().explore(|_| {
        let parent = Context::background().with_cancel();
        let begun = Begun::default();
        let limited = ScopeOptions::<Failed>::new().limit(1);
        let result = block_on(limited.run(&parent, async |s| {
            let holds = s.task().try_slot().map(|slot| {
                slot.spawn(async |ctx| {
                    ctx.done().await;
                    Ok(())
                })
            });
            assert!(holds.is_ok());
            let mut slot = pin!(s.slot());
            assert!(poll_once(slot.as_mut()).await.is_none());
            parent.cancel();
            let mark = begun.clone();
            if let Ok(slot) = slot.await {
                let _refused = slot.try_slot().map(|slot| {
                    slot.spawn(async move |_| {
                        mark.set();
                        Ok(())
                    })
                });
            }
            Ok(())
        }));
        assert_eq!(result, Ok(()));
        assert!(!begun.get(), "it began after its context had ended");
    });
}

/// Asked for after the end was seen: nothing begins, by whichever way it is asked for.
#[test]
fn a_task_that_is_asked_for_after_the_end_does_not_begin() {
    Model::of(1_000)
        .huge()
        .sees(&["begun", "refused"])
        .explore(|seen| {
            let parent = Context::background().with_cancel();
            let (spawned, started) = (Begun::default(), Begun::default());
            let mut canceller = None;
            let mut is_over = false;
            let result = block_on(scope(&parent, async |s| {
                let handle = parent.handle();
                canceller = Some(spawn(move || handle.cancel()));
                is_over = s.context().is_done();
                let mark = spawned.clone();
                s.spawn(async move |_| {
                    mark.set();
                    Ok::<_, Failed>(())
                });
                let mark = started.clone();
                let _said = s
                    .start(async move |_, ready: Ready<()>| {
                        mark.set();
                        let _told_or_not = ready.set(());
                        Ok(())
                    })
                    .await;
                Ok(())
            }));
            drop(result);
            let any = spawned.get() || started.get();
            assert!(!(is_over && any), "it began after its context had ended");
            seen.mark(if any { "begun" } else { "refused" });
            canceller.unwrap().join().unwrap();
        });
}
