//! Promise 19: clean-up runs when the scope ends, last in first out, whatever ended it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::{ScopeOptions, root, scope};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Live, Started, on_a_paused_clock, on_both, shut_down_around};

type Log = Arc<Mutex<Vec<&'static str>>>;

fn said(log: &Log) -> Vec<&'static str> {
    log.lock().unwrap().clone()
}

promise!(promise_19_clean_up_runs_when_the_scope_ends: cleaned_up, cleaned_up_until_shut_down);

async fn cleaned_up() {
    let log = Log::default();
    let live = Arc::new(Live::default());
    let parent = Context::background().with_cancel();
    let result = scope(&parent, async |s| {
        for (name, token) in [("pool", live.token()), ("buffer", live.token())] {
            let (log, live) = (log.clone(), live.clone());
            s.defer(async move |ctx| {
                let _held = token;
                assert!(!ctx.is_done());
                tokio::task::yield_now().await;
                // The task below is gone.
                assert!(live.count() <= 2);
                log.lock().unwrap().push(name);
            });
        }
        let (token, log) = (live.token(), log.clone());
        s.spawn(async move |ctx| {
            let _held = token;
            ctx.done().await;
            log.lock().unwrap().push("task");
        });
        parent.cancel();
        Ok::<_, Cancelled>(1)
    })
    .await;
    assert_eq!(result.unwrap(), 1);
    assert_eq!(said(&log), ["task", "buffer", "pool"]);
    assert_eq!(live.count(), 0);
}

/// What the runtime drops says so, and leaves nothing behind.
fn cleaned_up_until_shut_down() {
    let live = Arc::new(Live::default());
    shut_down_around(|middle| {
        let live = live.clone();
        async move {
            scope(&Context::background(), async |s| {
                for _ in 0..3 {
                    let (token, middle) = (live.token(), middle.clone());
                    s.defer(async move |_| middle.hang::<(), Cancelled>(token).await);
                }
                Ok::<_, Cancelled>(())
            })
            .await
            .unwrap();
        }
    });
    assert_eq!(live.count(), 0);
}

#[test]
fn it_runs_after_a_failure_and_after_a_panic() {
    on_both(|| async {
        let log = Log::default();
        let ran = log.clone();
        let ctx = Context::background();
        let failed = scope(&ctx, async |s| {
            s.defer(async move |_| ran.lock().unwrap().push("after a failure"));
            s.spawn(async |_| Err::<(), _>(AppError::Broken("task")));
            std::future::pending::<Result<(), _>>().await
        });
        assert_eq!(failed.await.unwrap_err(), AppError::Broken("task"));
        let ran = log.clone();
        let ctx = Context::background();
        let panicked = AssertUnwindSafe(scope(&ctx, async |s| {
            s.defer(async move |_| ran.lock().unwrap().push("after a panic"));
            s.spawn(async |_| panic!("on purpose"));
            Ok::<_, Cancelled>(())
        }));
        assert!(panicked.catch_unwind().await.is_err());
        assert_eq!(said(&log), ["after a failure", "after a panic"]);
    });
}

#[test]
fn its_error_is_the_scopes_if_nothing_else_failed() {
    on_both(|| async {
        for cancelled_by_owner in [false, true] {
            let ctx = Context::background();
            let result = scope(&ctx, async |s| {
                s.defer(async |_| Err::<(), _>(AppError::Broken("flush")));
                if cancelled_by_owner {
                    s.cancel();
                }
                Ok(())
            });
            assert_eq!(result.await.unwrap_err(), AppError::Broken("flush"));
        }
        let report = ScopeOptions::new()
            .run_reported(&Context::background(), async |s| {
                s.defer(async |_| Err::<(), _>(AppError::Broken("flush")));
                Err::<(), _>(AppError::Broken("body"))
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("body"));
        assert_eq!(report.num_late, 1);
        assert_eq!(report.late[0].0, AppError::Broken("flush"));
    });
}

#[test]
fn a_spawners_clean_up_decides_nothing() {
    on_both(|| async {
        let log = Log::default();
        let ran = log.clone();
        let ctx = Context::background();
        let result = scope(&ctx, async |s| {
            s.spawner()
                .defer(async move |_| ran.lock().unwrap().push("last"));
            s.spawner().defer(async |_| Err::<(), _>("flush failed"));
            s.spawner().defer(async |_| panic!("on purpose"));
            Ok::<_, AppError>(1)
        });
        assert_eq!(result.await.unwrap(), 1);
        assert_eq!(said(&log), ["last"]);
    });
}

/// The scope around waits for it, or the root.
#[test]
fn it_runs_when_the_scope_is_dropped() {
    on_both(|| async {
        let log = Log::default();
        let live = Arc::new(Live::default());
        scope(&Context::background(), async |outer| {
            let started = Arc::new(Notify::new());
            let (ran, token, tell) = (log.clone(), live.token(), started.clone());
            let task_ran = log.clone();
            let mut inner = Box::pin(scope(outer.context(), async move |s| {
                s.defer(async move |ctx| {
                    let _held = token;
                    assert!(!ctx.is_done());
                    tokio::task::yield_now().await;
                    ran.lock().unwrap().push("clean-up");
                });
                s.spawn(async move |ctx| {
                    tell.notify_one();
                    ctx.done().await;
                    tokio::task::yield_now().await;
                    task_ran.lock().unwrap().push("task");
                });
                std::future::pending::<Result<(), Cancelled>>().await
            }));
            assert!(inner.as_mut().now_or_never().is_none());
            started.notified().await;
            drop(inner);
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(said(&log), ["task", "clean-up"]);
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn it_goes_on_when_the_scope_is_dropped_meanwhile() {
    on_both(|| async {
        let log = Log::default();
        let (begun, go) = (Started::default(), Arc::new(Notify::new()));
        let (tell, wait, ran) = (begun.clone(), go.clone(), log.clone());
        let ctx = Context::background();
        let mut run = Box::pin(scope(&ctx, async |s| {
            s.defer(async move |_| {
                tell.tell();
                wait.notified().await;
                ran.lock().unwrap().push("clean-up");
            });
            Ok::<_, Cancelled>(())
        }));
        tokio::select! {
            biased;
            _ = &mut run => unreachable!("its clean-up waits"),
            () = begun.all(1) => {}
        }
        drop(run);
        go.notify_one();
        root().join().await;
        assert_eq!(said(&log), ["clean-up"]);
    });
}

#[test]
fn all_of_it_has_one_time_and_is_cut_off_then() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let log = Log::default();
        let (first, second) = (log.clone(), log.clone());
        let ctx = Context::background();
        let result = scope(&ctx, async |s| {
            s.defer(async move |_| first.lock().unwrap().push("too late"));
            s.defer(async |_| sleep(Duration::from_secs(60)).await);
            s.defer(async move |_| {
                sleep(Duration::from_secs(2)).await;
                second.lock().unwrap().push("in time");
            });
            Ok::<_, Cancelled>(())
        });
        assert_eq!(result.await.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        assert_eq!(said(&log), ["in time"]);
    });
}

/// What is deferred inside of clean-up has no more time than that.
#[test]
fn a_scope_inside_of_clean_up_is_bounded_by_it() {
    on_a_paused_clock(async || {
        let begun = Instant::now();
        let result = ScopeOptions::<Cancelled>::new()
            .clean_up(Duration::from_secs(2))
            .run(&Context::background(), async |s| {
                s.defer(async |ctx| {
                    scope(&ctx, async |inner| {
                        inner.run(sleep(Duration::from_secs(60))).await
                    })
                    .await
                });
                Ok(())
            })
            .await;
        assert!(result.is_err());
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    });
}

#[test]
fn it_keeps_the_values_of_the_scope() {
    on_both(|| async {
        tokio_ctx_core::key! { User: u32 }
        let ctx = Context::background().with_value::<User>(7);
        let seen = Arc::new(Mutex::new(None));
        let see = seen.clone();
        scope(&ctx, async |s| {
            s.defer(async move |ctx| *see.lock().unwrap() = ctx.value::<User>().copied());
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(*seen.lock().unwrap(), Some(7));
    });
}

#[test]
fn it_is_run_now_or_taken_back_and_leaves_no_entry() {
    on_both(|| async {
        let log = Log::default();
        let live = Live::default();
        scope(&Context::background(), async |s| {
            for _ in 0..100 {
                let token = live.token();
                let tenant = s.defer(async move |_| drop(token));
                assert!(tenant.stop());
            }
            assert_eq!(live.count(), 0);
            let ran = log.clone();
            let early = s.defer(async move |_| ran.lock().unwrap().push("early"));
            early.run_now(s.context()).await?;
            assert_eq!(said(&log), ["early"]);
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(said(&log), ["early"]);
    });
}

#[test]
fn after_the_end_it_is_handed_back() {
    on_both(|| async {
        let ctx = Context::background();
        let escaped = scope(&ctx, async |s| Ok::<_, Cancelled>(s.clone()));
        let escaped = escaped.await.unwrap();
        let log = Log::default();
        let ran = log.clone();
        let late = escaped.defer(async move |_| ran.lock().unwrap().push("late"));
        assert!(late.is_refused());
        late.run_now(&ctx).await.unwrap();
        assert_eq!(said(&log), ["late"]);
    });
}

#[test]
fn it_is_accepted_after_the_context_has_ended() {
    on_both(|| async {
        let log = Log::default();
        let ran = log.clone();
        let parent = Context::background().with_cancel();
        scope(&parent, async |s| {
            parent.cancel();
            s.defer(async move |ctx| {
                assert!(!ctx.is_done());
                ran.lock().unwrap().push("clean-up");
            });
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(said(&log), ["clean-up"]);
    });
}
