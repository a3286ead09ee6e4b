//! Every promise of the crate, in each of four settings: on one thread, on two workers, on a
//! paused clock, and with a runtime that is shut down in the middle.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::policy::{collect_all, first_ok, map, race};
use spawn_scoped::{Ready, Scope, ScopeOptions, TaskFailure, root, scope};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::{Dispatch, Span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::settings::promise;
use crate::support::{AppError, Doomed, Live, Started, on_one_thread, patiently, shut_down_around};

tokio_ctx_core::key! {
    /// Something whose life shows whether contexts are alive.
    Watched: Arc<()>
}

/// A context with a value, and how many contexts still hold it.
fn watched() -> (Context, impl Fn() -> usize) {
    let value = Arc::new(());
    let held = Arc::downgrade(&value);
    let ctx = Context::background().with_value::<Watched>(value);
    (ctx, move || held.strong_count())
}

promise!(promise_1_when_the_scope_returns_every_task_of_it_is_finished: joined, joined_until_shut_down);

async fn joined() {
    let live = Live::default();
    let (ctx, contexts) = watched();
    scope(&ctx, async |s| {
        for turn in 0..20 {
            let token = live.token();
            s.spawn(async move |ctx| {
                let _held = (token, ctx);
                for _ in 0..turn % 3 {
                    yield_now().await;
                }
                Ok::<_, Cancelled>(())
            });
            let token = live.token();
            s.task().spawn_cancellable(async move {
                yield_now().await;
                drop(token);
                Ok(())
            });
            let token = live.token();
            s.spawn_blocking(move |ctx| {
                drop(token);
                ctx.check()
            });
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(live.count(), 0);
    drop(ctx);
    assert_eq!(contexts(), 0);
}

fn joined_until_shut_down() {
    let live = Arc::new(Live::default());
    let (ctx, contexts) = watched();
    shut_down_around(|middle| {
        let (live, ctx) = (live.clone(), ctx.clone());
        async move {
            let started = Started::default();
            let ended = scope(&ctx, async |s| {
                for _ in 0..10 {
                    let (tell, held) = (started.clone(), live.token());
                    s.spawn(async move |ctx| tell.hang::<(), Cancelled>((held, ctx.clone())).await);
                    let (tell, held) = (started.clone(), live.token());
                    s.task().spawn_cancellable(tell.hang::<(), Cancelled>(held));
                }
                started.all(20).await;
                middle.tell();
                Ok(())
            })
            .await;
            // The runtime may drop the tasks while a worker still polls their scope.
            assert_eq!(ended.unwrap_err().reason(), Reason::TaskLost);
            pending::<()>().await;
        }
    });
    assert_eq!(live.count(), 0);
    drop(ctx);
    assert_eq!(contexts(), 0);
}

promise!(promise_2_the_first_error_decides_and_later_ones_are_kept: first_error, first_error_before_a_shutdown);

async fn first_error() {
    let report = ScopeOptions::new()
        .keep_body()
        .run_reported(&Context::background(), async |s| {
            for _ in 0..3 {
                s.spawn(async |ctx| {
                    let why = ctx.done().await;
                    assert_eq!(why.cause::<TaskFailure>().unwrap().name(), Some("db"));
                    Err::<(), _>(AppError::from(why))
                });
            }
            s.task()
                .name("db")
                .spawn(async |_| Err::<(), _>(AppError::Broken("first")));
            s.context().done().await;
            Err::<(), _>(AppError::Broken("body"))
        })
        .await;
    assert_eq!(report.result.unwrap_err(), AppError::Broken("first"));
    assert_eq!(report.num_late, 4);
    assert_eq!(report.late.len(), 4);
}

fn first_error_before_a_shutdown() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let (ctx, options) = (Context::background(), ScopeOptions::new().keep_body());
        let run = options.run(&ctx, async |s| {
            let started = Started::default();
            for _ in 0..3 {
                let hang = started.clone().hang::<(), AppError>(());
                doomed.inside(|| s.spawn(async |_| hang.await));
            }
            started.all(3).await;
            let failing = s.spawn(async |_| Err::<(), _>(AppError::Broken("first")));
            assert_eq!(failing.await.unwrap_err().reason(), Reason::TaskFailed);
            doomed.shut_down();
            Ok(())
        });
        let error = run.await.unwrap_err();
        assert_eq!(error, AppError::Broken("first"));
    });
}

promise!(promise_3_a_panic_stops_the_siblings_and_is_resumed: panicked, panicked_before_a_shutdown);

async fn panicked() {
    let live = Live::default();
    let resumed = AssertUnwindSafe(scope(&Context::background(), async |s| {
        for _ in 0..3 {
            let token = live.token();
            s.spawn(async move |ctx| {
                assert_eq!(ctx.done().await.reason(), Reason::TaskPanicked);
                yield_now().await;
                drop(token);
                Ok::<_, Cancelled>(())
            });
        }
        s.spawn(async |_| -> Result<(), _> { std::panic::panic_any(42_u32) });
        Ok(())
    }))
    .catch_unwind()
    .await;
    assert_eq!(*resumed.unwrap_err().downcast::<u32>().unwrap(), 42);
    assert_eq!(live.count(), 0);
}

fn panicked_before_a_shutdown() {
    on_one_thread(async || {
        let live = Live::default();
        let doomed = Doomed::new();
        let resumed = AssertUnwindSafe(scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(live.token());
            doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            s.spawn(async |_| -> Result<(), Cancelled> { std::panic::panic_any(42_u32) });
            assert_eq!(s.context().done().await.reason(), Reason::TaskPanicked);
            // What is lost now does not hide the panic.
            doomed.shut_down();
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(*resumed.unwrap_err().downcast::<u32>().unwrap(), 42);
        assert_eq!(live.count(), 0);
    });
}

promise!(promise_4_a_task_that_did_not_run_to_its_end_is_never_success: unfinished, lost);

async fn unfinished() {
    let parent = Context::background().with_cancel();
    let stopped = scope(&parent, async |s| {
        s.task()
            .spawn_cancellable(pending::<Result<(), Cancelled>>());
        parent.cancel_with("the client left");
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(stopped.reason(), Reason::Cancelled);
    assert!(stopped.to_string().contains("the client left"));

    let parent = Context::background().with_cancel();
    let aborted = ScopeOptions::new()
        .grace(Duration::from_millis(5))
        .run(&parent, async |s| {
            s.spawn(async |_| pending::<Result<(), Cancelled>>().await);
            parent.cancel();
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!(aborted.reason(), Reason::TaskAborted);
}

fn lost() {
    on_one_thread(async || {
        for kind in ["cooperative", "cancellable", "background"] {
            let live = Live::default();
            let doomed = Doomed::new();
            let lost = scope(&Context::background(), async |s| {
                let started = Started::default();
                let hang = started.clone().hang::<(), Cancelled>(live.token());
                let builder = s.task().name(kind);
                let task = doomed.inside(|| match kind {
                    "cooperative" => builder.spawn(async |_| hang.await),
                    "cancellable" => builder.spawn_cancellable(hang),
                    _ => builder.background().spawn(async |_| hang.await),
                });
                started.all(1).await;
                doomed.shut_down();
                assert_eq!(live.count(), 0);
                assert_eq!(task.await.unwrap_err().reason(), Reason::TaskLost);
                Ok(())
            })
            .await
            .unwrap_err();
            assert_eq!(lost.reason(), Reason::TaskLost);
            assert!(lost.to_string().contains(kind), "{lost}");
        }
    });
}

promise!(promise_5_take_the_context_and_you_own_the_wind_down: wound_down, wind_down_cut_short);

async fn wound_down() {
    let live = Live::default();
    let flushed = scope(&Context::background(), async |s| {
        let started = Started::default();
        let tell = started.clone();
        let flush = s.spawn(async move |ctx| {
            tell.tell();
            ctx.done().await;
            for _ in 0..10 {
                yield_now().await;
            }
            Ok::<_, Cancelled>("flushed")
        });
        let dropped = s
            .task()
            .spawn_cancellable(started.clone().hang::<(), _>(live.token()));
        started.all(2).await;
        s.cancel();
        assert_eq!(dropped.await.unwrap_err().reason(), Reason::Cancelled);
        assert_eq!(live.count(), 0);
        flush.await
    })
    .await;
    assert_eq!(flushed.unwrap(), "flushed");
}

fn wind_down_cut_short() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let parent = Context::background().with_cancel();
        let live = Live::default();
        // Neither for ever nor for its grace does the scope wait for who is gone.
        let lost = ScopeOptions::<Cancelled>::new()
            .grace(Duration::from_secs(3600))
            .run(&parent, async |s| {
                let winding_down = Started::default();
                let hang = winding_down.clone().hang::<(), _>(live.token());
                doomed.inside(|| {
                    s.spawn(async |ctx| {
                        ctx.done().await;
                        hang.await
                    })
                });
                parent.cancel();
                winding_down.all(1).await;
                doomed.shut_down();
                assert_eq!(live.count(), 0);
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(lost.reason(), Reason::TaskLost);
    });
}

promise!(promise_6_every_kind_of_task_is_joined: kinds, kinds_until_shut_down);

async fn kinds() {
    let live = Live::default();
    let server = Context::background().with_cancel();
    let sum = scope(&Context::background(), async |s| {
        let token = live.token();
        s.task().background().spawn(async move |ctx| {
            assert_eq!(ctx.done().await.reason(), Reason::ScopeFinished);
            yield_now().await;
            drop(token);
            Ok::<_, AppError>(())
        });
        let token = live.token();
        let other = s.task().under(&server).spawn(async move |ctx| {
            let why = ctx.done().await;
            drop(token);
            assert!(why.to_string().contains("shutdown"));
            Ok(1)
        });
        let token = live.token();
        let blocking = s.task().name("hash").spawn_blocking(move |ctx| {
            ctx.check()?;
            drop(token);
            Ok(2)
        });
        assert_eq!(blocking.name(), Some("hash"));
        let sum = blocking.await?;
        server.cancel_with("shutdown");
        Ok(sum + other.await?)
    })
    .await;
    assert_eq!(sum.unwrap(), 3);
    assert_eq!(live.count(), 0);
}

fn kinds_until_shut_down() {
    let live = Arc::new(Live::default());
    shut_down_around(|middle| {
        let live = live.clone();
        async move {
            let started = Started::default();
            let server = Context::background().with_cancel();
            let ended = scope(&Context::background(), async |s| {
                let (tell, held) = (started.clone(), live.token());
                s.task()
                    .background()
                    .spawn(async move |_| tell.hang::<(), _>(held).await);
                let (tell, held) = (started.clone(), live.token());
                s.task()
                    .under(&server)
                    .spawn(async move |_| tell.hang::<(), _>(held).await);
                let (tell, held) = (started.clone(), live.token());
                // The runtime waits for it, and it is asked to stop: neither waits for ever.
                s.spawn_blocking(move |ctx| -> Result<(), Cancelled> {
                    let _held = held;
                    tell.tell();
                    loop {
                        ctx.check()?;
                        std::thread::yield_now();
                    }
                });
                started.all(3).await;
                middle.tell();
                pending::<Result<(), Cancelled>>().await
            })
            .await;
            unreachable!("its body hangs: {ended:?}");
        }
    });
    assert_eq!(live.count(), 0);
}

/// The local kind has no setting with workers: its tasks stay on one thread.
fn local_runtime() -> tokio::runtime::LocalRuntime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
}

#[test]
fn promise_6_local_tasks_run_on_tokios_local_runtime() {
    let sum = local_runtime().block_on(patiently(scope(&Context::background(), async |s| {
        let shared = Rc::new(20);
        let other = shared.clone();
        let task = s.task().spawn_local(async move |_| {
            yield_now().await;
            Ok::<_, Cancelled>(Rc::new(*other + 1))
        });
        Ok(*shared + *task.await?)
    })));
    assert_eq!(sum.unwrap(), 41);
}

#[test]
fn promise_6_local_tasks_go_with_tokios_local_runtime() {
    let runtime = local_runtime();
    let live = Arc::new(Live::default());
    let inside = live.clone();
    let started = Started::default();
    let tell = started.clone();
    let unfinished = runtime.spawn_local(async move {
        scope(&Context::background(), async |s| {
            let held = Rc::new(inside.token());
            s.task()
                .spawn_local(async move |_| -> Result<(), Cancelled> {
                    let _held = held;
                    tell.tell();
                    pending().await
                });
            Ok(())
        })
        .await
    });
    runtime.block_on(patiently(started.all(1)));
    assert!(!unfinished.is_finished());
    assert_eq!(live.count(), 1);
    drop(runtime);
    assert_eq!(live.count(), 0);
    let dropped = unfinished.now_or_never().unwrap();
    assert!(dropped.unwrap_err().is_cancelled());
}

promise!(promise_7_a_limit_says_no_or_waits_but_never_locks_up: limited, slots_of_lost_tasks);

async fn limited() {
    let escaped = ScopeOptions::<Cancelled>::new()
        .limit(1)
        .run(&Context::background(), async |s| {
            let go = Arc::new(Notify::new());
            let wait = go.clone();
            let first = s.task().try_slot().map(|slot| {
                slot.spawn(async move |_| {
                    wait.notified().await;
                    Ok(1)
                })
            });
            let first = first.map_err(|_| ()).expect("a slot is free");
            assert!(
                s.task()
                    .try_slot()
                    .is_err_and(|full| full.reason() == Reason::LimitReached)
            );
            let mut second = Box::pin(s.slot());
            assert!(second.as_mut().now_or_never().is_none());
            go.notify_one();
            assert_eq!(first.await?, 1);
            second.await?.spawn(async |ctx| {
                ctx.done().await;
            });
            // The one slot waits for a cancel; the background needs none.
            let canceller = s.clone();
            s.task().background().spawn(async move |_| {
                canceller.cancel();
            });
            assert_eq!(s.slot().await.unwrap_err().reason(), Reason::Cancelled);
            Ok(s.clone())
        })
        .await
        .unwrap();
    let closed = escaped.task().try_slot().unwrap_err();
    assert_eq!(closed.reason(), Reason::ScopeFinished);
}

fn slots_of_lost_tasks() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let lost = ScopeOptions::<Cancelled>::new()
            .limit(1)
            .supervise()
            .run(&Context::background(), async |s| {
                let started = Started::default();
                let hang = started.clone().hang::<(), _>(());
                let taken = doomed.inside(|| {
                    s.task()
                        .try_slot()
                        .map(|slot| slot.spawn(async |_| hang.await))
                });
                assert!(taken.is_ok());
                started.all(1).await;
                let mut next = Box::pin(s.slot());
                assert!(next.as_mut().now_or_never().is_none());
                doomed.shut_down();
                // A supervising scope goes on, with the slot of the lost task.
                let next = next.await?.spawn(async |_| Ok(2));
                assert_eq!(next.await?, 2);
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(lost.reason(), Reason::TaskLost);
    });
}

promise!(promise_8_a_dropped_scope_hands_its_tasks_on: adopted, adopted_until_shut_down);

/// A scope with one task named `name`, polled until that runs and then dropped.
async fn drop_half_way(around: &Context, name: &'static str, wind_down: Started, live: &Live) {
    let started = Started::default();
    let (tell, token) = (started.clone(), live.token());
    let inner = scope(around, async move |s| {
        s.task().name(name).spawn(async move |ctx| {
            tell.tell();
            assert_eq!(ctx.done().await.reason(), Reason::ScopeDropped);
            wind_down.all(1).await;
            drop(token);
            Ok::<_, Cancelled>(())
        });
        pending::<Result<(), Cancelled>>().await
    });
    tokio::select! {
        biased;
        ended = inner => unreachable!("its body hangs: {ended:?}"),
        () = started.all(1) => {}
    }
}

fn is_with_the_root(name: &str) -> bool {
    let stragglers = root().stragglers();
    stragglers
        .iter()
        .any(|task| task.name.as_deref() == Some(name))
}

async fn adopted() {
    let live = Live::default();
    scope(&Context::background(), async |outer| {
        let release = Started::default();
        drop_half_way(outer.context(), "adopted", release.clone(), &live).await;
        assert_eq!(live.count(), 1);
        assert_eq!(outer.unfinished()[0].name.as_deref(), Some("adopted"));
        assert!(!is_with_the_root("adopted"));
        release.tell();
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    assert_eq!(live.count(), 0);
}

fn adopted_until_shut_down() {
    // The scope around lives on another runtime: it waits no longer than for the drop.
    on_one_thread(async || {
        let live = Live::default();
        let doomed = Doomed::new();
        scope(&Context::background(), async |outer| {
            let ctx = outer.context().clone();
            let started = Started::default();
            let hang = started.clone().hang::<(), _>(live.token());
            let mut inner = Box::pin(scope(&ctx, async |s| {
                s.spawn(async |_| hang.await);
                pending::<Result<(), Cancelled>>().await
            }));
            assert!(doomed.inside(|| inner.as_mut().now_or_never()).is_none());
            started.all(1).await;
            drop(inner);
            assert_eq!(outer.unfinished().len(), 1);
            doomed.shut_down();
            assert!(outer.unfinished().is_empty());
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(live.count(), 0);
    });
    // Without one, the root has nobody left to wait for.
    let live = Arc::new(Live::default());
    shut_down_around(|middle| {
        let live = live.clone();
        async move {
            let ctx = Context::background();
            drop_half_way(&ctx, "handed to the root", Started::default(), &live).await;
            middle.tell();
            pending::<()>().await;
        }
    });
    assert_eq!(live.count(), 0);
    assert!(!is_with_the_root("handed to the root"));
}

promise!(promise_9_who_is_still_running_is_told: told, told_after_a_shutdown);

async fn told() {
    let parent = Context::background().with_cancel();
    scope(&parent, async |s| {
        let (go, started) = (Arc::new(Notify::new()), Started::default());
        let (wait, tell) = (go.clone(), started.clone());
        let line = line!() + 1;
        let deaf = s.task().name("deaf").spawn(async move |_| {
            tell.tell();
            wait.notified().await;
            Ok::<_, Cancelled>(())
        });
        started.all(1).await;
        parent.cancel_with("the client left");
        let stragglers = s.unfinished();
        assert_eq!(stragglers.len(), 1);
        assert_eq!(stragglers[0].name.as_deref(), Some("deaf"));
        let place = format!("{}:{line}:", file!());
        assert!(stragglers[0].spawned_at.starts_with(&place));
        assert_eq!(stragglers[0].kind, "cooperative");
        let cause = stragglers[0].ended.as_deref().unwrap();
        assert!(cause.contains("the client left"), "{cause}");
        let tree = s.snapshot().to_string();
        assert!(tree.contains("task `deaf` (cooperative, "), "{tree}");
        assert!(tree.contains("the client left"), "{tree}");
        go.notify_one();
        deaf.await?;
        assert!(s.unfinished().is_empty());
        Ok(())
    })
    .await
    .unwrap();
}

fn told_after_a_shutdown() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let lost = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(());
            doomed.inside(|| s.task().name("gone").spawn(async |_| hang.await));
            started.all(1).await;
            assert_eq!(s.unfinished()[0].name.as_deref(), Some("gone"));
            doomed.shut_down();
            assert!(s.unfinished().is_empty());
            let tree = s.snapshot();
            assert!(tree.scopes[0].tasks.is_empty(), "{tree}");
            let ended = tree.scopes[0].ended.as_deref().unwrap();
            assert!(ended.contains("gone"), "{ended}");
            Ok(())
        })
        .await
        .unwrap_err();
        assert!(lost.to_string().contains("gone"), "{lost}");
    });
}

promise!(promise_10_long_lived_scopes_remember_live_tasks_only: forgetful, forgetful_after_a_shutdown);

async fn forgetful() {
    let live = Live::default();
    let report = ScopeOptions::new()
        .supervise()
        .run_reported(&Context::background(), async |s| {
            for _ in 0..2_000 {
                let token = live.token();
                let failing = s.spawn(async move |_| {
                    drop(token);
                    Err::<(), _>(AppError::Broken("again"))
                });
                assert!(failing.await.is_err());
                assert_eq!(live.count(), 0);
                assert!(s.unfinished().is_empty());
            }
            Ok(())
        })
        .await;
    assert_eq!(report.result, Ok(()));
    assert_eq!(report.num_late, 2_000);
    assert!(report.late.len() < 100);
}

fn forgetful_after_a_shutdown() {
    on_one_thread(async || {
        let live = Live::default();
        let doomed = Doomed::new();
        let lost = ScopeOptions::<Cancelled>::new()
            .supervise()
            .run(&Context::background(), async |s| {
                let started = Started::default();
                for _ in 0..1_000 {
                    let hang = started.clone().hang::<(), _>(live.token());
                    doomed.inside(|| s.spawn(async |_| hang.await));
                }
                started.all(1_000).await;
                assert_eq!(s.unfinished().len(), 1_000);
                doomed.shut_down();
                assert_eq!(live.count(), 0);
                assert!(s.unfinished().is_empty());
                assert_eq!(s.spawn(async |_| Ok(7)).await?, 7);
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(lost.reason(), Reason::TaskLost);
    });
}

promise!(promise_11_policies_beside_all_or_nothing: policies, policies_lost);

/// Odd numbers fail.
async fn even(_: Context, n: u32) -> Result<u32, AppError> {
    for _ in n..4 {
        yield_now().await;
    }
    match n % 2 {
        0 => Ok(n),
        _ => Err(AppError::Broken("odd")),
    }
}

async fn policies() {
    let ctx = Context::background();
    let odd = || AppError::Broken("odd");
    assert_eq!(
        collect_all(&ctx, 0..3, even).await,
        [Ok(0), Err(odd()), Ok(2)]
    );
    assert_eq!(first_ok(&ctx, [1, 2, 3], even).await, Ok(2));
    assert_eq!(first_ok(&ctx, [1, 3], even).await, Err(vec![odd(), odd()]));
    assert_eq!(race(&ctx, [3], even).await, Some(Err(odd())));
    assert_eq!(map(&ctx, [0, 2, 4, 6], 2, even).await, Ok(vec![0, 2, 4, 6]));
    assert_eq!(map(&ctx, [0, 1, 2], 2, even).await, Err(odd()));
}

/// Polls `policy` for the first time on a runtime that takes its tasks, and awaits it here when
/// that runtime is gone.
async fn outlives<T>(tasks: u32, started: Started, policy: impl Future<Output = T>) -> T {
    let mut policy = Box::pin(policy);
    let doomed = Doomed::new();
    assert!(doomed.inside(|| policy.as_mut().now_or_never()).is_none());
    started.all(tasks).await;
    doomed.shut_down();
    policy.await
}

fn policies_lost() {
    on_one_thread(async || {
        let live = Live::default();
        let ctx = Context::background();
        let started = Started::default();
        let hang = |_: Context, _: u32| started.clone().hang::<u32, Cancelled>(live.token());
        let told = || started.clone();

        let all = outlives(3, told(), collect_all(&ctx, 0..3, hang)).await;
        assert_eq!(all.len(), 3);
        for result in all {
            assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
        }
        let mapped = outlives(2, told(), map(&ctx, 0..5, 2, hang)).await;
        assert_eq!(mapped.unwrap_err().reason(), Reason::TaskLost);
        let won = outlives(3, told(), race(&ctx, 0..3, hang)).await;
        assert_eq!(won.unwrap().unwrap_err().reason(), Reason::TaskLost);
        let first = outlives(3, told(), first_ok(&ctx, 0..3, hang)).await;
        assert_eq!(first.unwrap_err()[0].reason(), Reason::TaskLost);
        assert_eq!(live.count(), 0);
    });
}

promise!(promise_12_start_returns_once_the_task_is_ready_or_failed: ready, never_ready);

async fn ready() {
    let stopped = scope(&Context::background(), async |s| {
        let (port, server) = s
            .start(async |ctx, ready: Ready<u16>| {
                yield_now().await;
                ready.set(8080).unwrap();
                ctx.done().await;
                Ok("stopped")
            })
            .await?;
        assert_eq!(port, 8080);
        let failed = s.start(async |_, _ready: Ready<()>| Err::<(), _>(AppError::Broken("bind")));
        assert_eq!(failed.await.unwrap_err(), AppError::Broken("bind"));
        assert!(!s.context().is_done());
        s.cancel();
        server.await.map_err(AppError::from)
    })
    .await;
    assert_eq!(stopped, Ok("stopped"));
}

fn never_ready() {
    on_one_thread(async || {
        let live = Live::default();
        let lost = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(live.token());
            let start = s.start(async |_, ready: Ready<()>| {
                let _never_used = ready;
                hang.await
            });
            let never = outlives(1, started, start).await;
            assert_eq!(never.unwrap_err().reason(), Reason::TaskLost);
            assert_eq!(live.count(), 0);
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(lost.reason(), Reason::TaskLost);
    });
}

promise!(promise_13_tasks_are_static_and_the_body_may_borrow: borrowed, borrowed_until_shut_down);

async fn borrowed() {
    let text = String::from("to be or not");
    let shared = Arc::new(text.clone());
    let (bytes, words, lines) = scope(&Context::background(), async |s| {
        let own = shared.clone();
        let lines = s.spawn(async move |_| Ok::<_, Cancelled>(own.lines().count()));
        let bytes = async {
            yield_now().await;
            text.len()
        };
        let words = async { text.split(' ').count() };
        let (bytes, words) = futures_util::join!(bytes, words);
        Ok((bytes, words, lines.await?))
    })
    .await
    .unwrap();
    assert_eq!((bytes, words, lines), (text.len(), 4, 1));
    assert_eq!(Arc::strong_count(&shared), 1);
}

fn borrowed_until_shut_down() {
    let live = Arc::new(Live::default());
    shut_down_around(|middle| {
        let live = live.clone();
        async move {
            let (text, token) = (String::from("mine"), live.token());
            let started = Started::default();
            let ended = scope(&Context::background(), async |s| {
                let hang = started.clone().hang::<(), Cancelled>(live.token());
                s.spawn(async |_| hang.await);
                let borrows = async {
                    started.all(1).await;
                    middle.tell();
                    pending::<()>().await;
                    (text.len(), &token)
                };
                let ((len, _token), ()) = futures_util::join!(borrows, pending());
                Ok(len)
            })
            .await;
            unreachable!("its body hangs: {ended:?}");
        }
    });
    assert_eq!(live.count(), 0);
}

promise!(promise_14_tasks_run_in_the_span_they_were_spawned_in: spans, spans_after_a_shutdown);

/// The tasks that entered a span, and the spans that were closed.
#[derive(Clone, Default)]
struct Spans {
    entered: Arc<Mutex<Vec<Option<tokio::task::Id>>>>,
    closed: Arc<Mutex<usize>>,
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Spans {
    fn on_enter(&self, _: &tracing::span::Id, _: tracing_subscriber::layer::Context<'_, S>) {
        self.entered.lock().unwrap().push(tokio::task::try_id());
    }

    fn on_close(&self, _: tracing::span::Id, _: tracing_subscriber::layer::Context<'_, S>) {
        *self.closed.lock().unwrap() += 1;
    }
}

/// A request's span, made and entered while `f` runs, on whatever thread that is.
struct Request {
    dispatch: Dispatch,
    span: Span,
}

impl Request {
    fn new(spans: &Spans) -> Self {
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(spans.clone()));
        let span = tracing::dispatcher::with_default(&dispatch, || tracing::info_span!("request"));
        Self { dispatch, span }
    }

    fn inside<T>(&self, f: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, || self.span.in_scope(f))
    }
}

async fn own_id(_: Context) -> Result<tokio::task::Id, Cancelled> {
    Ok(tokio::task::id())
}

async fn spans() {
    let spans = Spans::default();
    let request = Request::new(&spans);
    let (inside, outside) = scope(&Context::background(), async |s| {
        let inside = request.inside(|| s.spawn(own_id));
        let outside = request.inside(|| s.task().span(Span::none()).spawn(own_id));
        Ok((inside.await?, outside.await?))
    })
    .await
    .unwrap();
    let entered = spans.entered.lock().unwrap().clone();
    assert!(entered.contains(&Some(inside)));
    assert!(!entered.contains(&Some(outside)));
    drop(request);
    assert_eq!(*spans.closed.lock().unwrap(), 1);
}

fn spans_after_a_shutdown() {
    on_one_thread(async || {
        let spans = Spans::default();
        let request = Request::new(&spans);
        let doomed = Doomed::new();
        let lost = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(());
            doomed.inside(|| request.inside(|| s.spawn(async |_| hang.await)));
            started.all(1).await;
            spans.entered.lock().unwrap().clear();
            doomed.shut_down();
            // What the task held was dropped inside the span, and the span let go.
            assert_eq!(spans.entered.lock().unwrap().len(), 1);
            drop(request);
            assert_eq!(*spans.closed.lock().unwrap(), 1);
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(lost.reason(), Reason::TaskLost);
    });
}

promise!(promise_15_enough_is_not_failure: enough, enough_before_a_shutdown);

async fn enough() {
    let report = ScopeOptions::new()
        .run_reported(&Context::background(), async |s: Scope<AppError>| {
            for _ in 0..3 {
                s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
                s.task()
                    .spawn_cancellable(pending::<Result<(), AppError>>());
            }
            s.task()
                .background()
                .spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            assert!(s.cancel_with("found"));
            Ok("answer")
        })
        .await;
    assert_eq!(report.result, Ok("answer"));
    assert_eq!(report.num_late, 4);
}

fn enough_before_a_shutdown() {
    on_one_thread(async || {
        let live = Live::default();
        let doomed = Doomed::new();
        let answer = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), Cancelled>(live.token());
            let task = doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            s.cancel();
            doomed.shut_down();
            // Whoever asks is told the truth; the scope's result is the body's.
            assert_eq!(task.await.unwrap_err().reason(), Reason::TaskLost);
            Ok("answer")
        })
        .await;
        assert_eq!(answer.unwrap(), "answer");
        assert_eq!(live.count(), 0);
    });
}
