//! Promise 7: limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use spawn_scoped::{ScopeOptions, scope};
use tokio::sync::Notify;
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, on_both};

#[test]
fn no_more_than_the_limit_run_at_once() {
    for limit in [1, 3, 10] {
        on_both(move || async move {
            let running = Arc::new(AtomicUsize::new(0));
            let most = Arc::new(AtomicUsize::new(0));
            let seen = most.clone();
            ScopeOptions::<Cancelled>::new()
                .limit(limit)
                .run(&Context::background(), async |s| {
                    for _ in 0..limit * 10 {
                        let (running, most) = (running.clone(), most.clone());
                        s.slot().await?.spawn(async move |_| {
                            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            running.fetch_sub(1, Ordering::SeqCst);
                            Ok(())
                        });
                    }
                    Ok(())
                })
                .await
                .unwrap();
            let most = seen.load(Ordering::SeqCst);
            assert!(
                (1..=limit).contains(&most),
                "{most} at once under a limit of {limit}"
            );
        });
    }
}

#[test]
fn a_full_scope_refuses_a_slot_and_goes_on() {
    on_both(|| async {
        ScopeOptions::<Cancelled>::new()
            .limit(1)
            .run(&Context::background(), async |s| {
                let gate = Arc::new(Notify::new());
                let opened = gate.clone();
                let first = s
                    .task()
                    .try_slot()
                    .map(|slot| {
                        slot.spawn(async move |_| {
                            opened.notified().await;
                            Ok(())
                        })
                    })
                    .unwrap();
                let text = String::from("kept");
                let refused = s.task().try_slot().unwrap_err();
                assert_eq!(refused.reason(), Reason::LimitReached);
                gate.notify_one();
                first.await?;
                // The slot is given back before the task counts as finished.
                let second = s.slot().await?.spawn(async move |_| Ok(text));
                assert_eq!(second.await?, "kept");
                Ok(())
            })
            .await
            .unwrap();
    });
}

#[test]
fn a_limit_of_zero_lets_nothing_start() {
    on_both(|| async {
        ScopeOptions::<Cancelled>::new()
            .limit(0)
            .run(&Context::background(), async |s| {
                for _ in 0..1024 {
                    assert!(
                        s.task()
                            .try_slot()
                            .is_err_and(|full| full.reason() == Reason::LimitReached)
                    );
                }
                assert!(s.slot().now_or_never().is_none());
                Ok(())
            })
            .await
            .unwrap();
    });
}

#[test]
fn waiting_for_a_slot_ends_with_the_context() {
    on_both(|| async {
        let error = ScopeOptions::<AppError>::new()
            .limit(2)
            .keep_body()
            .run(&Context::background(), async |s| {
                for _ in 0..2 {
                    let task = s
                        .task()
                        .try_slot()
                        .map(|slot| slot.spawn(async |ctx| Err::<(), _>(ctx.done().await.into())));
                    assert!(task.is_ok());
                }
                // All slots are taken by tasks that wait for the cancel; a background task needs
                // no slot.
                let breaks = s.task().background();
                breaks.spawn(async |_| Err::<(), _>(AppError::Broken("eleventh")));
                assert_eq!(s.slot().await.unwrap_err().reason(), Reason::TaskFailed);
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(error, AppError::Broken("eleventh"));
    });
}

#[test]
fn a_waiter_that_gives_up_passes_its_slot_on() {
    on_both(|| async {
        ScopeOptions::<Cancelled>::new()
            .limit(1)
            .run(&Context::background(), async |s| {
                for _ in 0..100 {
                    let task = s.task().try_slot().map(|slot| slot.spawn(async |_| Ok(())));
                    let mut first = Box::pin(s.slot());
                    let _ = first.as_mut().now_or_never();
                    if let Ok(task) = task {
                        task.await?;
                    }
                    drop(first);
                    s.slot().await?.spawn(async |_| Ok(())).await?;
                }
                Ok(())
            })
            .await
            .unwrap();
    });
}

#[test]
fn panicking_tasks_give_their_slots_back() {
    on_both(|| async {
        let options = ScopeOptions::<Cancelled>::new().limit(2).keep_body();
        let panicked =
            std::panic::AssertUnwindSafe(options.run(&Context::background(), async |s| {
                for _ in 0..2 {
                    assert!(
                        s.task()
                            .try_slot()
                            .map(|slot| slot.spawn(async |_| -> Result<(), _> { panic!("slot") }))
                            .is_ok()
                    );
                }
                s.context().done().await;
                while !s.unfinished().is_empty() {
                    tokio::task::yield_now().await;
                }
                // Refused for the end of the context, not for want of a slot.
                assert!(
                    s.task()
                        .try_slot()
                        .is_err_and(|why| why.reason() != Reason::LimitReached)
                );
                Ok(())
            }))
            .catch_unwind()
            .await;
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "slot");
    });
}

#[test]
fn a_spawn_after_the_cancel_is_refused_not_queued() {
    on_both(|| async {
        scope(&Context::background(), async |s| {
            s.cancel();
            let refused = s.task().try_slot().unwrap_err();
            assert_eq!(refused.reason(), Reason::Cancelled);
            let task = s.spawn(async |_| -> Result<(), Cancelled> { unreachable!() });
            assert_eq!(task.await.unwrap_err().reason(), Reason::Cancelled);
            Ok(())
        })
        .await
        .unwrap();
    });
}

/// Twenty at once under a limit of two: eighteen are refused, and the scope says so.
#[test]
fn a_limit_limits_a_plain_spawn_too() {
    on_both(|| async {
        let running = Arc::new(AtomicUsize::new(0));
        let spy = running.clone();
        let result = ScopeOptions::<Cancelled>::new()
            .limit(2)
            .run(&Context::background(), async |s| {
                let tasks: Vec<_> = (0..20)
                    .map(|_| {
                        let running = spy.clone();
                        s.spawn(async move |ctx| {
                            running.fetch_add(1, Ordering::SeqCst);
                            ctx.done().await;
                            Ok(())
                        })
                    })
                    .collect();
                for (num, task) in tasks.into_iter().enumerate() {
                    if num >= 2 {
                        let why = task.await.unwrap_err();
                        assert_eq!(why.reason(), Reason::LimitReached);
                        assert!(why.to_string().contains("a limit of 2 tasks"), "{why}");
                    }
                }
                Ok(())
            })
            .await;
        let why = result.unwrap_err();
        assert_eq!(why.reason(), Reason::LimitReached);
        assert!(running.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn an_isolated_task_beyond_the_limit_is_refused_and_decides_nothing() {
    on_both(|| async {
        let result = ScopeOptions::<AppError>::new()
            .limit(0)
            .run(&Context::background(), async |s| {
                let refused = s.spawner().isolated(async |_| ());
                assert_eq!(refused.await.unwrap_err().reason(), Reason::LimitReached);
                Ok(1)
            })
            .await;
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn a_slot_that_is_not_used_is_given_back() {
    on_both(|| async {
        ScopeOptions::<Cancelled>::new()
            .limit(1)
            .run(&Context::background(), async |s| {
                for _ in 0..10 {
                    drop(s.slot().await?);
                    let slot = s.slot().await?;
                    assert!(s.slot().now_or_never().is_none());
                    // A background task needs none.
                    slot.background().spawn(async |_| ());
                }
                let last = s.slot().await?.spawn(async |_| Ok(7));
                assert_eq!(last.await?, 7);
                Ok(())
            })
            .await
            .unwrap();
    });
}
