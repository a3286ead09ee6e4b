//! Promise 16: the body ends with the failure that ends the scope, and with nothing else.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::{ScopeOptions, scope};
use tokio::sync::{Notify, mpsc};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Doomed, Live, Started, on_a_paused_clock, on_both, on_one_thread};

promise!(promise_16_the_body_ends_with_the_failure_that_ends_the_scope: body_ends, body_ends_with_a_lost_task);

/// The body waits for something that never comes: a failure is what ends it.
async fn body_ends() {
    let live = Live::default();
    let held = live.token();
    let error = scope(&Context::background(), async |s| {
        let _held = held;
        s.spawn(async |_| Err::<(), _>(AppError::Broken("task")));
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(error, AppError::Broken("task"));
    assert_eq!(live.count(), 0);
    let ctx = Context::background();
    let resumed = AssertUnwindSafe(scope(&ctx, async |s| {
        s.spawn(async |_| panic!("on purpose"));
        pending::<Result<(), Cancelled>>().await
    }));
    let payload = resumed.catch_unwind().await.unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
}

fn body_ends_with_a_lost_task() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let started = Started::default();
        let (shut_down, runtime) = (Notify::new(), doomed.handle());
        let ctx = Context::background();
        let body = scope(&ctx, async |s| {
            let hang = started.clone().hang::<(), Cancelled>(());
            let _inside = runtime.enter();
            s.spawn(async |_| hang.await);
            drop(_inside);
            started.all(1).await;
            shut_down.notify_one();
            pending::<Result<(), Cancelled>>().await
        });
        let (result, ()) = futures_util::join!(body, async {
            shut_down.notified().await;
            doomed.shut_down();
        });
        assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
    });
}

#[test]
fn of_many_bodies_none_waits_again_after_the_failure() {
    on_both(|| async {
        for _ in 0..200 {
            let passed = Arc::new(Notify::new());
            let result = scope(&Context::background(), async |s| {
                let task = s.spawn(async |_| Err::<(), _>(AppError::Broken("task")));
                let told = passed.clone();
                // The poll that is running may see the end; it does not wait once more.
                drop(task.await);
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                told.notify_one();
                Ok(())
            })
            .await;
            assert_eq!(result.unwrap_err(), AppError::Broken("task"));
            assert!(passed.notified().now_or_never().is_none());
        }
    });
}

#[test]
fn the_end_of_the_parent_only_asks_the_body() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let drained = scope(&parent, async |s| {
            let (tx, mut rx) = mpsc::channel(4);
            for item in 0..4 {
                tx.send(item).await.unwrap();
            }
            drop(tx);
            parent.cancel();
            assert!(s.context().is_done());
            let mut sum = 0;
            while let Some(item) = rx.recv().await {
                tokio::task::yield_now().await;
                sum += item;
            }
            Ok::<_, Cancelled>(sum)
        });
        assert_eq!(drained.await.unwrap(), 6);
    });
}

/// What a task returns after the parent's end decides, but it is not what ended the scope.
#[test]
fn a_tasks_cancelled_after_the_parents_end_does_not_cut_off_the_body() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let (mut drained, mut asked) = (false, false);
        let result = scope(&parent, async |s| {
            let task = s.spawn(async |ctx| Err::<(), _>(ctx.done().await));
            parent.cancel();
            asked = task.await.is_err();
            tokio::task::yield_now().await;
            drained = true;
            Ok(())
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), parent.err().unwrap().reason());
        assert!(asked && drained);
    });
}

#[test]
fn the_owners_cancel_only_asks_the_body() {
    on_both(|| async {
        let ctx = Context::background();
        let result = scope(&ctx, async |s| {
            let canceller = s.clone();
            s.spawn(async move |_| {
                canceller.cancel();
            });
            s.context().done().await;
            tokio::task::yield_now().await;
            Ok::<_, Cancelled>("after the cancel")
        });
        assert_eq!(result.await.unwrap(), "after the cancel");
    });
}

/// A failure further up reaches this scope as the end of its parent.
#[test]
fn a_failure_of_the_scope_around_is_the_end_of_the_parent() {
    on_both(|| async {
        let went_on = Arc::new(AtomicBool::new(false));
        let mark = went_on.clone();
        let result = scope(&Context::background(), async |outer| {
            let started = Arc::new(Notify::new());
            let ready = started.clone();
            outer.spawn(async move |ctx| {
                let inner = scope(&ctx, async |s| {
                    ready.notify_one();
                    s.context().done().await;
                    tokio::task::yield_now().await;
                    mark.store(true, Ordering::SeqCst);
                    Ok::<_, AppError>(())
                });
                inner.await
            });
            started.notified().await;
            outer.spawn(async |_| Err::<(), _>(AppError::Broken("outer")));
            pending::<Result<(), _>>().await
        })
        .await;
        assert_eq!(result.unwrap_err(), AppError::Broken("outer"));
        assert!(went_on.load(Ordering::SeqCst));
    });
}

#[test]
fn a_supervised_body_goes_on() {
    on_both(|| async {
        let ctx = Context::background();
        let result = ScopeOptions::new().supervise().run(&ctx, async |s| {
            let failed = s.spawn(async |_| Err::<(), _>(AppError::Broken("task")));
            assert!(failed.await.is_err());
            tokio::task::yield_now().await;
            Ok(1)
        });
        assert_eq!(result.await.unwrap(), 1);
    });
}

/// What the body awaited, another scope for one, ends with it and is still joined.
#[test]
fn a_scope_inside_of_a_body_that_ends_is_adopted_and_joined() {
    on_a_paused_clock(async || {
        let live = Arc::new(Live::default());
        let token = live.token();
        let result = scope(&Context::background(), async |s| {
            s.spawn(async |_| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err::<(), _>(AppError::Broken("task"))
            });
            scope(s.context(), async |inner| {
                inner.spawn(async move |ctx| {
                    let _held = token;
                    ctx.done().await;
                    tokio::time::sleep(Duration::from_secs(3)).await;
                });
                pending::<Result<(), AppError>>().await
            })
            .await
        })
        .await;
        assert_eq!(result.unwrap_err(), AppError::Broken("task"));
        assert_eq!(live.count(), 0);
    });
}
