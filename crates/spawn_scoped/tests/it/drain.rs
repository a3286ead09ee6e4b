//! Promises 6 and 19b: who is asked when, at the end of the parent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spawn_scoped::{ScopeOptions, root, scope};
use tokio::time::{Instant, sleep};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Doomed, Live, Started, on_a_paused_clock, on_both, on_one_thread};

promise!(promise_6_background_tasks_are_asked_last: asked_last, asked_last_after_a_loss);

/// The last flush finds its pool open: the parent's end reaches the background after the tasks.
async fn asked_last() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let parent = Context::background().with_cancel();
    scope(&parent, async |s| {
        let log = order.clone();
        s.task().background().spawn(async move |ctx| {
            let why = ctx.done().await;
            assert_eq!(why.reason(), Reason::ScopeFinished);
            log.lock().unwrap().push("pool closed");
        });
        let log = order.clone();
        s.spawn(async move |ctx| {
            ctx.done().await;
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            log.lock().unwrap().push("flushed");
        });
        parent.cancel();
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    assert_eq!(*order.lock().unwrap(), ["flushed", "pool closed"]);
}

fn asked_last_after_a_loss() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let live = Live::default();
        let result = scope(&Context::background(), async |s| {
            let token = live.token();
            s.task().background().spawn(async move |ctx| {
                ctx.done().await;
                drop(token);
            });
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(());
            doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            doomed.shut_down();
            Ok(())
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_background_task_that_fails_after_the_parents_end_fails_the_scope() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let asked = Started::default();
            let tell = asked.clone();
            s.task().background().spawn(async move |_| {
                tell.all(1).await;
                Err::<(), _>(AppError::Broken("flush"))
            });
            s.spawn(async move |ctx| {
                ctx.done().await;
                asked.tell();
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                Ok(())
            });
            parent.cancel();
            Ok(())
        })
        .await;
        // Unless it was asked meanwhile, when nobody minds.
        assert!(matches!(result, Ok(()) | Err(AppError::Broken("flush"))));
    });
}

#[test]
fn no_background_task_begins_after_the_end_of_the_parent() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            s.task().background().spawn(async |ctx| {
                ctx.done().await;
            });
            parent.cancel_with("shutdown");
            let late = s.task().background().spawn(async |_| Ok(()));
            assert!(late.await.unwrap_err().to_string().contains("shutdown"));
            Ok(())
        })
        .await;
        assert!(matches!(result, Err(AppError::Stopped(_))), "{result:?}");
    });
}

/// It was not asked yet when the grace of the others is over.
#[test]
fn the_background_has_its_own_grace() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let flushed = Arc::new(Mutex::new(None));
        let at = flushed.clone();
        let parent = Context::background().with_cancel();
        let result = ScopeOptions::<Cancelled>::new()
            .grace(Duration::from_secs(5))
            .run(&parent, async |s| {
                s.task().background().spawn(async move |ctx| {
                    ctx.done().await;
                    sleep(Duration::from_secs(3)).await;
                    *at.lock().unwrap() = Some(begun.elapsed());
                });
                s.spawn(async |_| std::future::pending::<Result<(), _>>().await);
                tokio::task::yield_now().await;
                parent.cancel();
                Ok(())
            })
            .await;
        assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(*flushed.lock().unwrap(), Some(Duration::from_secs(8)));
    });
}

#[test]
fn drain_asks_the_body_at_once_and_the_tasks_later() {
    on_a_paused_clock(async || {
        let parent = Context::background().with_cancel();
        let begun = Instant::now();
        let result = ScopeOptions::<Cancelled>::new()
            .limit(4)
            .drain(Duration::from_secs(20))
            .grace(Duration::from_secs(5))
            .run(&parent, async |s| {
                let short = s.spawn(async |ctx| {
                    ctx.run(sleep(Duration::from_secs(3))).await?;
                    Ok(())
                });
                let long = s.isolated(async |ctx| {
                    let why = ctx.done().await;
                    Err::<(), _>(why)
                });
                parent.cancel_with("SIGTERM");
                // At once:
                let why = s.run(std::future::pending::<()>()).await.unwrap_err();
                assert!(why.to_string().contains("SIGTERM"));
                assert!(s.slot().await.unwrap_err().to_string().contains("SIGTERM"));
                assert_eq!(begun.elapsed(), Duration::ZERO);
                // Not cut off:
                short.await?;
                assert_eq!(begun.elapsed(), Duration::from_secs(3));
                // After the drain, for the same reason:
                let why = long.await?.unwrap_err();
                assert!(why.to_string().contains("SIGTERM"));
                assert_eq!(begun.elapsed(), Duration::from_secs(20));
                Ok("drained")
            })
            .await;
        assert_eq!(result.unwrap(), "drained");
    });
}

#[test]
fn what_outlasts_drain_and_grace_is_aborted() {
    on_a_paused_clock(async || {
        let parent = Context::background().with_cancel();
        let begun = Instant::now();
        let result = ScopeOptions::<Cancelled>::new()
            .drain(Duration::from_secs(20))
            .grace(Duration::from_secs(5))
            .run(&parent, async |s| {
                s.spawn(async |_| std::future::pending::<Result<(), _>>().await);
                parent.cancel();
                Ok(())
            })
            .await;
        assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(begun.elapsed(), Duration::from_secs(25));
    });
}

/// What an orchestrator has to allow for is their sum.
#[test]
fn drain_grace_and_clean_up_follow_one_another() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let live = Live::default();
        let parent = Context::background().with_cancel();
        let result = ScopeOptions::<Cancelled>::new()
            .drain(Duration::from_secs(20))
            .grace(Duration::from_secs(5))
            .clean_up(Duration::from_secs(3))
            .run(&parent, async |s| {
                for _ in 0..2 {
                    let token = live.token();
                    s.spawn(async move |_| {
                        let _held = token;
                        std::future::pending::<Result<(), _>>().await
                    });
                    let token = live.token();
                    drop(s.defer(async move |_| {
                        let _held = token;
                        std::future::pending::<Result<(), _>>().await
                    }));
                }
                parent.cancel();
                Ok(())
            })
            .await;
        assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(begun.elapsed(), Duration::from_secs(20 + 5 + 3));
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_scope_that_drains_ends_with_its_own_cancel_at_once() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let result = ScopeOptions::<Cancelled>::new()
            .drain(Duration::from_secs(20))
            .run(&Context::background(), async |s| {
                s.spawn(async |ctx| {
                    ctx.done().await;
                });
                s.cancel();
                assert!(s.run(std::future::pending::<()>()).await.is_err());
                Ok(())
            })
            .await;
        result.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

/// Nobody but the owner's cancel wakes the scope, and its grace begins all the same.
#[test]
fn a_cancel_with_a_cause_from_a_task_begins_the_grace() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let result = ScopeOptions::<Cancelled>::new()
            .grace(Duration::from_secs(5))
            .run(&Context::background(), async |s| {
                s.spawn(async |_| std::future::pending::<Result<(), _>>().await);
                let canceller = s.clone();
                s.spawn(async move |_| {
                    sleep(Duration::from_secs(1)).await;
                    canceller.cancel_with("enough");
                });
                Ok(())
            })
            .await;
        // An abort is never a silent success.
        assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
    });
}

#[test]
fn the_root_can_be_spawned_into() {
    on_both(|| async {
        let ran = root().spawner().isolated(async |ctx| {
            assert!(!ctx.is_done());
        });
        ran.await.unwrap();
    });
}
