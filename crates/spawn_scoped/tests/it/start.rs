//! Promise 12: start with ready, and its six rules.

use std::sync::Arc;

use futures_util::FutureExt as _;
use spawn_scoped::{Ready, Scope, scope};
use tokio::sync::Notify;
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, Live, on_both};

#[test]
fn start_returns_the_value_once_the_task_is_ready() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s| {
            let (port, server) = s
                .start(async |ctx, ready: Ready<u16>| {
                    tokio::task::yield_now().await;
                    ready.set(8080).unwrap();
                    ctx.done().await;
                    Ok::<_, Cancelled>("stopped")
                })
                .await?;
            assert_eq!(port, 8080);
            assert!(!server.is_finished());
            s.cancel();
            server.await
        })
        .await;
        assert_eq!(result.unwrap(), "stopped");
    });
}

#[test]
fn a_an_error_before_ready_is_returned_and_does_not_fail_the_scope() {
    on_both(|| async {
        for _ in 0..50 {
            let result = scope(&Context::background(), async |s| {
                let failed = s
                    .start(async |_, _ready: Ready<()>| {
                        tokio::task::yield_now().await;
                        Err::<(), _>(AppError::Broken("bind"))
                    })
                    .await;
                assert_eq!(failed.unwrap_err(), AppError::Broken("bind"));
                assert!(!s.context().is_done());
                Ok("went on")
            })
            .await;
            assert_eq!(result.unwrap(), "went on");
        }
    });
}

#[test]
fn b_dropping_the_start_stops_the_task() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let result = scope(&Context::background(), async |s| {
            let token = live.token();
            let start = s.start(async move |ctx, ready: Ready<()>| {
                let why = ctx.done().await;
                assert_eq!(why.reason(), Reason::GuardDropped);
                // Nobody is there to be told any more.
                assert!(ready.set(()).is_err());
                drop(token);
                Err::<(), _>(AppError::from(why))
            });
            assert!(start.now_or_never().is_none());
            Ok("went on")
        })
        .await;
        assert_eq!(result.unwrap(), "went on");
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn c_dropping_ready_unused_is_never_ready() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s| {
            // Dropped, while the task goes on.
            let never = s
                .start(async |ctx, ready: Ready<()>| {
                    drop(ready);
                    ctx.done().await;
                    Ok::<_, Cancelled>(())
                })
                .await
                .unwrap_err();
            assert_eq!(never.reason(), Reason::NeverReady);
            // Dropped elsewhere than in the task's own poll.
            let moved = s
                .start(async |ctx, ready: Ready<()>| {
                    tokio::spawn(async move { drop(ready) });
                    ctx.done().await;
                    Ok::<_, Cancelled>(())
                })
                .await
                .unwrap_err();
            assert_eq!(moved.reason(), Reason::NeverReady);
            // Ended well, but never ready.
            let ended = s
                .start(async |_, _ready: Ready<()>| Ok::<_, Cancelled>(()))
                .await;
            assert_eq!(ended.unwrap_err().reason(), Reason::NeverReady);
            Ok("went on")
        })
        .await;
        assert_eq!(result.unwrap(), "went on");
    });
}

#[test]
fn d_after_ready_the_task_belongs_to_the_scope() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            let go = Arc::new(Notify::new());
            let wait = go.clone();
            let ((), _task) = s
                .start(async move |_, ready: Ready<()>| {
                    ready.set(()).unwrap();
                    wait.notified().await;
                    Err::<(), _>(AppError::Broken("later"))
                })
                .await?;
            go.notify_one();
            Err::<(), _>(AppError::from(s.context().done().await))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("later"));
    });
}

#[test]
fn e_a_scope_that_ends_meanwhile_gives_an_error() {
    on_both(|| async {
        let escaped = scope(&Context::background(), async |s: Scope<Cancelled>| {
            let waiting = s.clone();
            let starter = tokio::spawn(async move {
                let never =
                    waiting.start(async |ctx, _ready: Ready<()>| Err::<(), _>(ctx.done().await));
                never.await.map(|_| ())
            });
            while s.unfinished().is_empty() {
                tokio::task::yield_now().await;
            }
            s.cancel_with("shutdown");
            let stopped = starter.await.unwrap().unwrap_err();
            assert_eq!(stopped.reason(), Reason::Cancelled);
            Ok(s.clone())
        })
        .await
        .unwrap();
        let closed = escaped
            .start(async |_, _: Ready<()>| Ok(()))
            .await
            .unwrap_err();
        assert_eq!(closed.reason(), Reason::ScopeFinished);
    });
}

#[test]
fn f_an_error_before_ready_is_not_wrapped() {
    on_both(|| async {
        let result: anyhow::Result<()> = scope(&Context::background(), async |s| {
            let error = s
                .start(async |_, _: Ready<()>| Err::<(), _>(anyhow::anyhow!("as it is")))
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), "as it is");
            assert_eq!(error.chain().count(), 1);
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_panic_before_ready_is_the_scopes_panic() {
    on_both(|| async {
        let panicked = std::panic::AssertUnwindSafe(scope(&Context::background(), async |s| {
            let started = s
                .start(async |_, _: Ready<()>| -> Result<(), Cancelled> { panic!("bind") })
                .await;
            assert_eq!(started.unwrap_err().reason(), Reason::TaskPanicked);
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "bind");
    });
}
