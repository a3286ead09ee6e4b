//! Promise 4: a task that did not run to its end is never success. Promise 5: who takes the
//! context owns its wind-down, who does not is dropped.

use std::sync::Arc;
use std::time::Duration;

use spawn_scoped::{Scope, ScopeOptions, scope};
use tokio::sync::{mpsc, oneshot};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, Live, current_thread, on_both};

#[test]
fn a_task_stopped_by_the_parent_makes_the_scope_an_error() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            s.task()
                .spawn_cancellable(std::future::pending::<Result<(), Cancelled>>());
            parent.cancel_with("the client left");
            Ok(())
        })
        .await;
        let cancelled = result.unwrap_err();
        assert_eq!(cancelled.reason(), Reason::Cancelled);
        assert!(cancelled.to_string().contains("the client left"));
    });
}

#[test]
fn a_spawn_refused_because_the_parent_ended_makes_the_scope_an_error() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        parent.cancel();
        let result = scope(&parent, async |s| {
            s.spawn(async |_| Ok::<_, Cancelled>(()));
            Ok(())
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), Reason::Cancelled);
    });
}

#[test]
fn tasks_that_ran_to_their_end_are_success_even_if_the_parent_ended() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let task = s.spawn(async |ctx| {
                ctx.done().await;
                Ok::<_, Cancelled>("flushed")
            });
            parent.cancel();
            task.await
        })
        .await;
        assert_eq!(result.unwrap(), "flushed");
    });
}

#[test]
fn a_task_lost_to_a_dying_runtime_makes_the_scope_an_error() {
    let (to_other, mut scopes) = mpsc::channel::<Scope<Cancelled>>(1);
    let (started, has_started) = oneshot::channel();
    // The tasks run on a runtime that dies, the scope on one that lives.
    let other = std::thread::spawn(move || {
        let dying = current_thread();
        dying.block_on(async {
            let scope = scopes.recv().await.unwrap();
            let running = Arc::new(tokio::sync::Notify::new());
            let tell = running.clone();
            scope.task().name("doomed").spawn(async move |_| {
                tell.notify_one();
                std::future::pending::<Result<(), Cancelled>>().await
            });
            running.notified().await;
            let _ = started.send(());
        });
        drop(dying);
    });
    let result = current_thread().block_on(scope(&Context::background(), async |s| {
        to_other.send(s.clone()).await.unwrap();
        has_started.await.unwrap();
        Ok(())
    }));
    other.join().unwrap();
    let cancelled = result.unwrap_err();
    assert_eq!(cancelled.reason(), Reason::TaskLost);
    assert!(cancelled.to_string().contains("doomed"), "{cancelled}");
}

#[test]
fn a_blocking_task_that_never_started_is_lost_with_its_runtime() {
    let dead = {
        let runtime = current_thread();
        runtime.handle().clone()
    };
    let live = Live::default();
    let token = live.token();
    let result = current_thread().block_on(scope(&Context::background(), async |s| {
        let never = {
            let _inside = dead.enter();
            s.spawn_blocking(move |_| {
                drop(token);
                Ok::<_, Cancelled>(())
            })
        };
        never.await
    }));
    assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
    assert_eq!(live.count(), 0);
}

#[test]
fn a_spawn_without_a_runtime_is_lost_rather_than_a_panic() {
    let result = futures_util::FutureExt::now_or_never(scope(&Context::background(), async |s| {
        s.spawn(async |_| Ok::<_, Cancelled>(()));
        Ok(())
    }))
    .expect("nothing to wait for");
    let cancelled = result.unwrap_err();
    assert_eq!(cancelled.reason(), Reason::TaskLost);
    assert!(
        cancelled.to_string().contains("no tokio runtime"),
        "{cancelled}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_a_cooperative_task_is_waited_for_as_long_as_it_takes() {
    let parent = Context::background().with_cancel();
    let begun = tokio::time::Instant::now();
    let result = scope(&parent, async |s| {
        let task = s.spawn(async |ctx| {
            ctx.done().await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok::<_, Cancelled>("wound down")
        });
        parent.cancel();
        task.await
    })
    .await;
    assert_eq!(result.unwrap(), "wound down");
    assert_eq!(begun.elapsed().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn with_a_grace_a_cooperative_task_is_aborted_after_it() {
    let parent = Context::background().with_cancel();
    let live = Live::default();
    let token = live.token();
    let begun = tokio::time::Instant::now();
    let result = ScopeOptions::new()
        .grace(Duration::from_secs(10))
        .run(&parent, async |s| {
            let task = s.task().name("deaf").spawn(async move |_| {
                let _held = token;
                std::future::pending::<Result<(), Cancelled>>().await
            });
            parent.cancel();
            assert_eq!(task.await.unwrap_err().reason(), Reason::TaskAborted);
            Ok(())
        })
        .await;
    let cancelled = result.unwrap_err();
    assert_eq!(cancelled.reason(), Reason::TaskAborted);
    assert!(cancelled.to_string().contains("deaf"), "{cancelled}");
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(live.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn within_the_grace_nothing_is_cut_off() {
    let parent = Context::background().with_cancel();
    let result = ScopeOptions::new()
        .grace(Duration::from_secs(10))
        .run(&parent, async |s| {
            let task = s.spawn(async |ctx| {
                ctx.done().await;
                tokio::time::sleep(Duration::from_secs(9)).await;
                Ok::<_, Cancelled>("in time")
            });
            parent.cancel();
            task.await
        })
        .await;
    assert_eq!(result.unwrap(), "in time");
}

#[tokio::test(start_paused = true)]
async fn the_body_has_the_same_grace() {
    let parent = Context::background().with_cancel();
    let begun = tokio::time::Instant::now();
    let result = ScopeOptions::new()
        .grace(Duration::from_secs(10))
        .run(&parent, async |_: Scope<AppError>| {
            parent.cancel();
            std::future::pending::<Result<(), AppError>>().await
        })
        .await;
    assert!(matches!(result, Err(AppError::Stopped(text)) if text.contains("aborted")));
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[test]
fn a_cancellable_task_is_dropped_when_the_context_ends() {
    on_both(|| async {
        let live = Live::default();
        let token = live.token();
        let (started, has_started) = oneshot::channel();
        let result = scope(&Context::background(), async |s| {
            let task = s.task().spawn_cancellable(async move {
                let _held = token;
                let _ = started.send(());
                std::future::pending::<Result<(), Cancelled>>().await
            });
            has_started.await.unwrap();
            s.cancel();
            assert_eq!(task.await.unwrap_err().reason(), Reason::Cancelled);
            assert_eq!(live.count(), 0);
            Ok(())
        })
        .await;
        assert!(result.is_ok());
    });
}
