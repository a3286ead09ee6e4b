//! Promise 6: background, blocking, local, named tasks, and tasks under another context.

use std::rc::Rc;
use std::sync::Arc;

use spawn_scoped::{Scope, ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, Live, current_thread, on_both};

#[test]
fn a_background_task_does_not_keep_the_scope_open_but_is_joined() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let token = live.token();
        let value = scope(&Context::background(), async |s| {
            s.task().background().spawn(async move |ctx| {
                let why = ctx.done().await;
                assert_eq!(why.reason(), Reason::ScopeFinished);
                tokio::task::yield_now().await;
                drop(token);
                Err::<(), _>(AppError::from(why))
            });
            s.spawn(async |_| Ok(1)).await.map_err(AppError::from)
        })
        .await;
        // What it returned after it was asked to stop does not decide.
        assert_eq!(value.unwrap(), 1);
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn background_tasks_are_asked_only_when_the_others_are_done() {
    on_both(|| async {
        scope(&Context::background(), async |s| {
            let (tell, told) = tokio::sync::oneshot::channel();
            s.task().background().spawn(async move |ctx| {
                let _ = tell.send(ctx.clone());
                assert_eq!(ctx.done().await.reason(), Reason::ScopeFinished);
                Ok::<_, Cancelled>(())
            });
            let background = told.await.unwrap();
            for turns in 0..10 {
                let background = background.clone();
                s.spawn(async move |_| {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                    assert!(!background.is_done());
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_background_task_that_fails_before_it_was_asked_fails_the_scope() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            s.task()
                .background()
                .spawn(async |_| Err::<(), _>(AppError::Broken("metrics")));
            Err::<(), _>(AppError::from(s.context().done().await))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("metrics"));
    });
}

#[test]
fn a_background_task_stops_with_the_scope_that_failed() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            let background = s.task().background().spawn(async |ctx| {
                assert_eq!(ctx.done().await.reason(), Reason::ScopeFinished);
                Ok(())
            });
            s.spawn(async |_| Err::<(), _>(AppError::Broken("front")));
            background.await.unwrap();
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("front"));
    });
}

#[test]
fn a_background_task_may_spawn_while_the_scope_is_open() {
    on_both(|| async {
        scope(&Context::background(), async |s: Scope<Cancelled>| {
            let clone = s.clone();
            let first = s
                .task()
                .background()
                .spawn(async move |_| clone.spawn(async |_| Ok(3)).await);
            assert_eq!(first.await?, 3);
            Ok(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_blocking_task_checks_its_context() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s| {
            let busy = s.spawn_blocking(|ctx| -> Result<(), Cancelled> {
                loop {
                    ctx.check()?;
                    std::thread::yield_now();
                }
            });
            s.cancel();
            assert_eq!(busy.await.unwrap_err().reason(), Reason::Cancelled);
            Ok::<_, Cancelled>(())
        })
        .await;
        assert!(result.is_ok());
    });
}

#[test]
fn a_local_task_need_not_be_send() {
    let local = tokio::task::LocalSet::new();
    let sum =
        current_thread().block_on(local.run_until(scope(&Context::background(), async |s| {
            let shared = Rc::new(20);
            let other = shared.clone();
            let task = s.task().spawn_local(async move |_| {
                tokio::task::yield_now().await;
                Ok::<_, Cancelled>(Rc::new(*other + 1))
            });
            Ok(*shared + *task.await?)
        })));
    assert_eq!(sum.unwrap(), 41);
}

#[test]
fn a_local_task_is_joined_and_stopped_like_any_other() {
    let local = tokio::task::LocalSet::new();
    let error =
        current_thread().block_on(local.run_until(scope(&Context::background(), async |s| {
            let held = Rc::new(());
            s.task().spawn_local(async move |ctx| {
                let _held = held;
                Err::<(), _>(AppError::from(ctx.done().await))
            });
            s.task()
                .spawn_local(async |_| Err::<(), _>(AppError::Broken("local")));
            Ok(())
        })));
    assert_eq!(error.unwrap_err(), AppError::Broken("local"));
}

#[test]
fn a_task_under_another_context_is_stopped_by_that_one_and_joined_by_this() {
    on_both(|| async {
        let server = Context::background().with_cancel();
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let token = live.token();
        let result = scope(&Context::background(), async |s| {
            let flush = s.task().under(&server).spawn(async move |ctx| {
                let why = ctx.done().await;
                drop(token);
                Ok::<_, Cancelled>(why.to_string())
            });
            s.cancel();
            tokio::task::yield_now().await;
            assert!(!flush.is_finished());
            server.cancel_with("shutdown");
            flush.await
        })
        .await;
        assert!(result.unwrap().contains("shutdown"));
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_scope_dropped_under_another_context_comes_to_the_scope_that_joins() {
    on_both(|| async {
        let server = Context::background().with_cancel();
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let token = live.token();
        scope(&Context::background(), async |s| {
            s.task().under(&server).spawn(async move |ctx| {
                let inner = scope(&ctx, async |inner| {
                    inner.spawn(async move |ctx| {
                        ctx.done().await;
                        tokio::task::yield_now().await;
                        drop(token);
                        Ok::<_, Cancelled>(())
                    });
                    std::future::pending::<Result<(), Cancelled>>().await
                });
                assert!(futures_util::FutureExt::now_or_never(inner).is_none());
                Ok::<_, Cancelled>(())
            });
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_named_task_keeps_its_name_and_its_line() {
    on_both(|| async {
        scope(&Context::background(), async |s| {
            let line = line!() + 1;
            let builder = s.task().name(String::from("worker 3"));
            let task = builder.spawn_blocking(|_| Ok(()));
            assert_eq!(task.name(), Some("worker 3"));
            assert_eq!(task.location().line(), line);
            let listed = s.unfinished();
            if let [only] = listed.as_slice() {
                assert_eq!(only.name.as_deref(), Some("worker 3"));
                assert_eq!(only.kind, "blocking");
                assert!(!only.can_be_aborted);
            }
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn no_background_task_starts_after_the_end() {
    on_both(|| async {
        let escaped = scope(&Context::background(), async |s: Scope<Cancelled>| {
            Ok(s.clone())
        })
        .await
        .unwrap();
        let refused = escaped.task().background().spawn(async |_| Ok(()));
        assert_eq!(refused.await.unwrap_err().reason(), Reason::ScopeFinished);
    });
}

#[test]
fn a_local_task_outside_of_any_runtime_is_lost_as_any_other() {
    let ctx = Context::background();
    let mut unstarted = std::pin::pin!(scope(&ctx, async |s| {
        s.task().spawn_local(async |_| Ok::<_, Cancelled>(())).await
    }));
    let mut poller = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = unstarted.as_mut().poll(&mut poller) else {
        panic!("it waits for a task that was not started");
    };
    assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
}

#[tokio::test]
async fn a_local_task_outside_of_a_local_set_panics_and_does_not_count_as_run() {
    let live = Live::default();
    let token = live.token();
    let result = ScopeOptions::<Cancelled>::new()
        .limit(1)
        .run(&Context::background(), async |s| {
            let spawned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                s.task().spawn_local(async move |_| {
                    drop(token);
                    Ok(())
                })
            }));
            assert!(spawned.is_err());
            assert_eq!(live.count(), 0);
            Ok(())
        })
        .await;
    // Whoever goes on after the panic is told all the same.
    assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
}
