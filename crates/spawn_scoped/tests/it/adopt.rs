//! Promise 8: a scope that is dropped half-way hands its unfinished tasks on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::{Scope, root, scope};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{Live, current_thread, on_both};

#[test]
fn the_scope_around_waits_for_the_tasks_of_a_dropped_scope() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let gate = Arc::new(Semaphore::new(0));
        scope(&Context::background(), async |outer| {
            {
                let inner = scope(outer.context(), async |s| {
                    for _ in 0..10 {
                        let (token, gate) = (live.token(), gate.clone());
                        s.spawn(async move |ctx| {
                            let why = ctx.done().await;
                            assert_eq!(why.reason(), Reason::ScopeDropped);
                            gate.acquire().await.unwrap().forget();
                            for _ in 0..5 {
                                tokio::task::yield_now().await;
                            }
                            drop(token);
                            Ok::<_, Cancelled>(())
                        });
                    }
                    std::future::pending::<Result<(), Cancelled>>().await
                });
                // Polled once, then dropped.
                assert!(inner.now_or_never().is_none());
            }
            assert_eq!(live.count(), 10);
            gate.add_permits(10);
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_task_that_is_aborted_hands_its_inner_scope_on() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let started = Arc::new(Notify::new());
        scope(&Context::background(), async |outer| {
            let (token, tell) = (live.token(), started.clone());
            let task = outer.task().spawn_cancellable({
                let ctx = outer.context().clone();
                async move {
                    scope(&ctx, async |s| {
                        s.spawn(async move |ctx| {
                            tell.notify_one();
                            ctx.done().await;
                            for _ in 0..5 {
                                tokio::task::yield_now().await;
                            }
                            drop(token);
                            Ok::<_, Cancelled>(())
                        });
                        std::future::pending::<Result<(), Cancelled>>().await
                    })
                    .await
                }
            });
            started.notified().await;
            outer.cancel();
            assert!(task.await.is_err());
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_scope_dropped_three_deep_reaches_the_outermost_that_is_open() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let token = live.token();
        let ready = Arc::new(Notify::new());
        let tell = ready.clone();
        scope(&Context::background(), async |outer| {
            {
                let middle = scope(outer.context(), async move |middle| {
                    scope(middle.context(), async move |inner| {
                        inner.spawn(async move |ctx| {
                            tell.notify_one();
                            ctx.done().await;
                            tokio::task::yield_now().await;
                            drop(token);
                            Ok::<_, Cancelled>(())
                        });
                        std::future::pending::<Result<(), Cancelled>>().await
                    })
                    .await
                });
                let mut middle = std::pin::pin!(middle);
                tokio::select! {
                    biased;
                    _ = &mut middle => unreachable!("it never ends"),
                    () = ready.notified() => {}
                }
            }
            assert_eq!(live.count(), 1);
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

/// Drops a scope with one task in it, which holds a token until it is released.
fn orphan(name: &'static str, live: &Live) -> oneshot::Sender<()> {
    let token = live.token();
    let (release, released) = oneshot::channel::<()>();
    let dropped = scope(&Context::background(), async |s| {
        s.task().name(name).spawn(async move |_| {
            let _ = released.await;
            drop(token);
            Ok::<_, Cancelled>(())
        });
        std::future::pending::<Result<(), Cancelled>>().await
    })
    .now_or_never();
    assert!(dropped.is_none());
    release
}

#[test]
fn without_a_scope_around_the_root_waits_for_the_tasks() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let release = orphan("left to the root", &live);
        assert_eq!(live.count(), 1);
        assert!(root().join().now_or_never().is_none());
        release.send(()).unwrap();
        root().join().await;
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn two_who_join_the_root_at_once_both_wait() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let release = orphan("joined twice", &live);
        let is_listed = || {
            let left = root().stragglers();
            left.iter()
                .any(|left| left.name.as_deref() == Some("joined twice"))
        };

        let (mut first, mut second) = (Box::pin(root().join()), Box::pin(root().join()));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert!(is_listed());
        // The first gives up, and the second waits for the same task.
        drop(first);
        assert!((&mut second).now_or_never().is_none());
        assert!(is_listed());
        release.send(()).unwrap();
        second.await;
        assert_eq!(live.count(), 0);
        assert!(!is_listed());
    });
}

#[test]
fn a_scope_whose_tasks_are_done_is_dropped_without_a_trace() {
    on_both(|| async {
        let ctx = Context::background();
        let mut held = Box::pin(scope(&ctx, async |s: Scope<Cancelled>| {
            s.task().name("no trace").spawn(async |_| Ok(())).await?;
            std::future::pending::<Result<(), Cancelled>>().await
        }));
        let waited = tokio::time::timeout(Duration::from_millis(1), &mut held).await;
        assert!(waited.is_err());
        drop(held);
        let left = root().stragglers();
        assert!(
            left.iter()
                .all(|left| left.name.as_deref() != Some("no trace"))
        );
    });
}

#[test]
fn a_scope_future_is_dropped_outside_of_any_runtime() {
    let runtime = current_thread();
    let live = Arc::new(Live::default());
    let token = live.token();
    let ctx = Context::background();
    let mut held = Box::pin(scope(&ctx, async |s| {
        s.spawn(async move |ctx| {
            ctx.done().await;
            drop(token);
            Ok::<_, Cancelled>(())
        });
        tokio::task::yield_now().await;
        std::future::pending::<Result<(), Cancelled>>().await
    }));
    runtime.block_on(async { assert!(held.as_mut().now_or_never().is_none()) });
    drop(held);
    assert_eq!(live.count(), 1);
    runtime.block_on(root().join());
    assert_eq!(live.count(), 0);
}

#[test]
fn a_runtime_shut_down_with_a_scope_inside_leaves_nothing_behind() {
    let live = Arc::new(Live::default());
    let runtime = current_thread();
    let token = live.token();
    let started = Arc::new(Notify::new());
    let tell = started.clone();
    runtime.block_on(async {
        tokio::spawn(async move {
            scope(&Context::background(), async |s| {
                s.spawn(async move |_| {
                    let _held = token;
                    tell.notify_one();
                    std::future::pending::<Result<(), Cancelled>>().await
                });
                Ok(())
            })
            .await
        });
        started.notified().await;
    });
    assert_eq!(live.count(), 1);
    drop(runtime);
    assert_eq!(live.count(), 0);
    current_thread().block_on(root().join());
}
