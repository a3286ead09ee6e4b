//! Promise 6: a blocking task that has not begun when its context ends does not begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use spawn_scoped::{ScopeOptions, Spawner, Task, scope};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{Live, patiently};

/// A runtime whose blocking pool has one thread.
fn pool_of_one() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Takes the only thread of the pool until it is let go.
async fn take_the_thread() -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let _ = begun.send(());
        let _ = released.recv();
    });
    begins.await.unwrap();
    release
}

#[test]
fn queued_blocking_tasks_do_not_begin_after_the_deadline() {
    let begun = Arc::new(AtomicUsize::new(0));
    let live = Live::default();
    pool_of_one().block_on(patiently(async {
        let release = take_the_thread().await;
        let ctx = Context::background().with_timeout(Duration::from_millis(20));
        let result = scope(&ctx, async |s| {
            for _ in 0..10 {
                let (begun, token) = (begun.clone(), live.token());
                s.spawn_blocking(move |_| {
                    let _held = token;
                    begun.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(())
        })
        .await;
        // Nobody has let go of the thread: they are given up, not waited for.
        assert_eq!(result.unwrap_err().reason(), Reason::Deadline);
        assert_eq!(live.count(), 0);
        release.send(()).unwrap();
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }));
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[test]
fn whoever_awaits_a_queued_blocking_task_is_told_why_it_does_not_begin() {
    pool_of_one().block_on(patiently(async {
        let _thread = take_the_thread().await;
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let mut task = s.spawn_blocking(|_| Ok::<_, Cancelled>(7));
            assert!(futures_util::poll!(&mut task).is_pending());
            assert!(!task.is_finished());
            parent.cancel();
            let why = (&mut task).await.unwrap_err();
            assert!(task.is_finished());
            assert!(s.unfinished().is_empty(), "{:?}", s.unfinished());
            Err::<(), _>(why)
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), Reason::Cancelled);
    }));
}

#[test]
fn a_blocking_task_that_runs_a_scope_with_a_queued_one_ends_with_its_deadline() {
    pool_of_one().block_on(patiently(async {
        let ctx = Context::background().with_timeout(Duration::from_millis(20));
        let result = scope(&ctx, async |s| {
            let outer = s.spawn_blocking(|ctx| {
                Handle::current().block_on(scope(&ctx, async |s| {
                    s.spawn_blocking(|_| Ok::<_, Cancelled>(1)).await
                }))
            });
            outer.await
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), Reason::Deadline);
    }));
}

#[test]
fn a_queued_blocking_task_is_aborted_at_the_end_of_the_grace() {
    pool_of_one().block_on(patiently(async {
        let _thread = take_the_thread().await;
        let live = Live::default();
        let token = live.token();
        let result = ScopeOptions::<Cancelled>::new()
            .grace(Duration::from_millis(5))
            .run(&Context::background(), async |s| {
                // Its own context goes on.
                let task = s.task().under(&Context::background());
                let _task: Task<()> = task.spawn_blocking(move |_| {
                    drop(token);
                    Ok(())
                });
                s.cancel();
                Ok(())
            })
            .await;
        assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
        assert_eq!(live.count(), 0);
    }));
}

#[test]
fn a_blocking_task_on_a_runtime_that_is_gone_is_lost_and_dropped() {
    let live = Live::default();
    let begun = Arc::new(AtomicUsize::new(0));
    let gone = pool_of_one();
    let handle = gone.handle().clone();
    gone.shutdown_timeout(std::time::Duration::ZERO);
    let (mark, token) = (begun.clone(), live.token());
    let result = crate::support::current_thread().block_on(patiently(async {
        scope(&Context::background(), async |s| {
            let task = {
                let _inside = handle.enter();
                s.spawn_blocking(move |_| {
                    let _held = token;
                    mark.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Cancelled>(())
                })
            };
            task.await
        })
        .await
    }));
    assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
    assert_eq!(live.count(), 0);
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[test]
fn an_isolated_blocking_task_that_does_not_begin_decides_nothing() {
    pool_of_one().block_on(patiently(async {
        let _thread = take_the_thread().await;
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let task = Spawner::task(&s).spawn_blocking(|_| {});
            parent.cancel();
            assert_eq!(task.await.unwrap_err().reason(), Reason::Cancelled);
            Ok::<_, Cancelled>(7)
        })
        .await;
        assert_eq!(result.unwrap(), 7);
    }));
}

#[test]
fn a_blocking_task_that_has_begun_goes_on_and_keeps_its_value() {
    pool_of_one().block_on(patiently(async {
        let parent = Context::background().with_cancel();
        let value = scope(&parent, async |s| {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let task = s.spawn_blocking(move |ctx| {
                let _ = begun.send(());
                Handle::current().block_on(ctx.done());
                Ok::<_, Cancelled>(7)
            });
            begins.await.unwrap();
            parent.cancel();
            task.await
        })
        .await;
        assert_eq!(value.unwrap(), 7);
    }));
}
