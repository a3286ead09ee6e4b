//! Foreign code panics wherever it is called, and harms nobody but who brought it.

use std::error::Error;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Wake, Waker};
use std::time::Duration;

use spawn_scoped::{Ready, ScopeOptions, Spawner, policy, root, scope, snapshot};
use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Span, Subscriber, span};

use crate::support::{Live, current_thread, patiently};

/// Panics in each method that a subscriber may be called by.
struct HostileLayer;

impl Subscriber for HostileLayer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        // One span that can be made, to be hostile in the other methods.
        match attributes.metadata().name() {
            "mine" => span::Id::from_u64(1),
            _ => panic!("a layer's new_span"),
        }
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {
        panic!("a layer's record");
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {
        panic!("a layer's record_follows_from");
    }

    fn event(&self, _: &Event<'_>) {
        panic!("a layer's event");
    }

    fn enter(&self, _: &span::Id) {
        panic!("a layer's enter");
    }

    fn exit(&self, _: &span::Id) {
        panic!("a layer's exit");
    }

    fn try_close(&self, _: span::Id) -> bool {
        panic!("a layer's try_close");
    }
}

/// Panics when it is dropped, unless something else panics already.
struct HostileDrop(#[expect(dead_code, reason = "held")] crate::support::LiveToken);

impl Drop for HostileDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a drop");
        }
    }
}

/// Panics when it is shown.
#[derive(Debug)]
struct HostileText;

impl fmt::Display for HostileText {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a text");
    }
}

impl Error for HostileText {}

type Boxed = Box<dyn Error + Send + Sync>;

/// Panics when it wakes.
struct HostileWaker;

impl Wake for HostileWaker {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    current_thread().block_on(patiently(test))
}

/// Every way of the crate to the log and to spans, once.
async fn all_that_is_logged() {
    let live = Live::default();
    let ctx = Context::background();
    let result: Result<(), Boxed> = ScopeOptions::new()
        .name("all")
        .run(&ctx, async |s| {
            // To drop this one is to panic: each clone of it is the crate's to drop.
            let mine = ManuallyDrop::new(tracing::info_span!("mine"));
            let none = ManuallyDrop::new(Span::none());
            for span in [None, Some(none), Some(mine)] {
                let task = || match &span {
                    Some(span) => s.task().span(Span::clone(span)),
                    None => s.task(),
                };
                assert_eq!(task().spawn(async |_| Ok::<_, Boxed>(7)).await?, 7);
                let blocking = task().spawn_blocking(|_| Ok::<_, Boxed>(7));
                assert_eq!(blocking.await?, 7);
                let late = Context::background().with_timeout(Duration::ZERO);
                let refused = task().under(&late).spawn(async |_| Ok::<_, Boxed>(7));
                assert_eq!(refused.await.unwrap_err().reason(), Reason::Deadline);
            }
            // Its failure is for nobody but the log.
            drop(Spawner::isolated(&s, async |_| Err::<(), _>("isolated")));
            drop(Spawner::isolated(&s, async |_| -> Result<(), Boxed> {
                panic!("isolated")
            }));
            for _ in 0..40 {
                s.spawn(async |_| Err::<(), Boxed>("one of many".into()));
            }
            let token = live.token();
            s.spawn(async move |ctx| {
                let _held = token;
                ctx.done().await;
                Ok::<_, Boxed>(())
            });
            std::future::pending().await
        })
        .await;
    assert_eq!(result.unwrap_err().to_string(), "one of many");
    assert_eq!(live.count(), 0);
    let aborted = ScopeOptions::<Cancelled>::new()
        .grace(Duration::ZERO)
        .run(&ctx.with_timeout(Duration::ZERO), async |s| {
            let never = s.task().under(&Context::background());
            never.spawn(async |_| std::future::pending::<Result<(), Cancelled>>().await);
            Ok(())
        })
        .await;
    assert_eq!(aborted.unwrap_err().reason(), Reason::TaskAborted);
    let panicked = AssertUnwindSafe(scope(&ctx, async |s| {
        s.spawn(async |_| -> Result<(), Cancelled> { panic!("of a task") });
        std::future::pending::<Result<(), Cancelled>>().await
    }));
    let panicked = futures_util::FutureExt::catch_unwind(panicked).await;
    assert_eq!(
        *panicked.unwrap_err().downcast::<&str>().unwrap(),
        "of a task"
    );
}

#[test]
fn a_layer_that_panics_everywhere_changes_no_result() {
    with_default(HostileLayer, || on_one_thread(all_that_is_logged()));
}

#[test]
fn a_layer_that_panics_in_the_span_around_changes_no_result() {
    let _ = catch_unwind(|| {
        with_default(HostileLayer, || {
            let span = std::mem::ManuallyDrop::new(tracing::info_span!("mine"));
            on_one_thread(async {
                let _around = &span;
                all_that_is_logged().await;
            });
        });
    })
    .map_err(std::panic::resume_unwind);
}

#[test]
fn captures_and_values_that_panic_when_dropped_are_all_dropped() {
    let live = Live::default();
    on_one_thread(async {
        let ctx = Context::background();
        // What is captured, cut off by the cancel.
        let result = scope(&ctx, async |s| {
            for _ in 0..3 {
                let bomb = HostileDrop(live.token());
                s.task().spawn_cancellable(async move {
                    let _held = bomb;
                    std::future::pending::<Result<(), Cancelled>>().await
                });
            }
            let mut turns = 3;
            while turns > 0 {
                tokio::task::yield_now().await;
                turns -= 1;
            }
            s.cancel();
            Ok::<_, Cancelled>(())
        });
        let caught = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(result)).await;
        assert!(caught.is_err(), "the panic of a task's drop is resumed");
        // In a job that never begins.
        let ended = ctx.with_timeout(Duration::ZERO);
        let refused = scope(&ended, async |s| {
            let bomb = HostileDrop(live.token());
            let _ = catch_unwind(AssertUnwindSafe(|| {
                s.spawn_blocking(move |_| {
                    let _held = bomb;
                    Ok::<_, Cancelled>(())
                });
            }));
            Ok::<_, Cancelled>(())
        })
        .await;
        assert_eq!(refused.unwrap_err().reason(), Reason::Deadline);
    });
    assert_eq!(live.count(), 0);
}

#[test]
fn errors_whose_text_panics_are_still_the_result() {
    on_one_thread(async {
        let ctx = Context::background();
        let result: Result<(), Boxed> = scope(&ctx, async |s| {
            s.spawn(async |_| Err::<(), Boxed>(Box::new(HostileText)));
            std::future::pending().await
        })
        .await;
        assert!(result.unwrap_err().is::<HostileText>());
        let parent = ctx.with_cancel();
        parent.cancel_with(HostileText);
        let shown = scope(&parent, async |s| Ok::<_, Cancelled>(s.snapshot())).await;
        assert_eq!(shown.unwrap().scopes.len(), 1);
        let _whole_process = snapshot();
        let isolated = scope(&ctx, async |s| {
            drop(Spawner::isolated(&s, async |_| Err::<(), _>(HostileText)));
            Ok::<_, Cancelled>(7)
        });
        assert_eq!(isolated.await.unwrap(), 7);
    });
}

#[test]
fn a_waker_that_panics_stops_no_task_and_no_slot() {
    let live = Live::default();
    on_one_thread(async {
        let ctx = Context::background();
        let hostile = Waker::from(Arc::new(HostileWaker));
        let mut poller = Poller::from_waker(&hostile);
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        // The scope waits with it; its task ends and has to wake it.
        let mut waiting = Box::pin(scope(&ctx, async |s| {
            let token = live.token();
            s.spawn(async move |_| {
                let _held = token;
                let _ = released.await;
                Ok::<_, Cancelled>(())
            });
            Ok(())
        }));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            assert!(waiting.as_mut().poll(&mut poller).is_pending());
        }));
        release.send(()).unwrap();
        while live.count() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(waiting.await.is_ok());
        // A waiter for a slot that never comes for it again.
        let limited = ScopeOptions::<Cancelled>::new().limit(1);
        let result = limited
            .run(&ctx, async |s| {
                let held = s.slot().await?;
                {
                    let mut stuck = pin!(s.slot());
                    let _ = stuck.as_mut().poll(&mut poller).is_pending();
                    drop(held);
                }
                let slot = s.slot().await?;
                slot.spawn(async |_| Ok(7)).await
            })
            .await;
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn a_start_whose_starter_wakes_with_a_panic_starts_all_the_same() {
    on_one_thread(async {
        let hostile = Waker::from(Arc::new(HostileWaker));
        let mut poller = Poller::from_waker(&hostile);
        let result = scope(&Context::background(), async |s| {
            let mut starting = pin!(s.start(async |_ctx, ready: Ready<u8>| {
                ready.set(1).unwrap();
                Ok::<_, Cancelled>(2)
            }));
            assert!(starting.as_mut().poll(&mut poller).is_pending());
            tokio::task::yield_now().await;
            let (ready, task) = starting.await?;
            Ok::<_, Cancelled>(ready + task.await?)
        })
        .await;
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn closures_that_panic_where_they_are_called_leave_nothing_behind() {
    let live = Live::default();
    on_one_thread(async {
        let ctx = Context::background();
        let result = ScopeOptions::<Cancelled>::new()
            .limit(1)
            .run(&ctx, async |s| {
                for _ in 0..3 {
                    let token = live.token();
                    let spawned = catch_unwind(AssertUnwindSafe(|| {
                        s.spawn(|_| -> std::future::Ready<Result<(), Cancelled>> {
                            let _held = token;
                            panic!("of a closure");
                        })
                    }));
                    assert!(spawned.is_err());
                }
                // The slot came back each time.
                s.spawn(async |_| Ok(7)).await
            })
            .await;
        assert_eq!(result.unwrap(), 7);
        let items = (0..3).map(|number| assert!(number < 1, "of an iterator"));
        let mapped = policy::map(&ctx, items, 2, async |_, ()| Ok::<_, Cancelled>(()));
        let mapped = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(mapped)).await;
        assert!(mapped.is_err());
    });
    assert_eq!(live.count(), 0);
}

#[test]
fn a_dropped_scope_with_a_hostile_layer_hands_its_tasks_on_while_unwinding() {
    let live = Live::default();
    with_default(HostileLayer, || {
        on_one_thread(async {
            let ctx = Context::background();
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let mut scope = Box::pin(scope(&ctx, async |s| {
                    let token = live.token();
                    s.spawn(async move |ctx| {
                        let _held = token;
                        ctx.done().await;
                        Err::<(), Boxed>(Box::new(HostileText))
                    });
                    std::future::pending::<Result<(), Boxed>>().await
                }));
                let mut poller = Poller::from_waker(Waker::noop());
                assert!(scope.as_mut().poll(&mut poller).is_pending());
                panic!("while it runs");
            }));
            assert!(unwound.is_err());
            root().join().await;
        });
    });
    assert_eq!(live.count(), 0);
}

/// Holds a token, and is a cause.
#[derive(Debug)]
struct Held(#[expect(dead_code, reason = "held")] crate::support::LiveToken);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("held")
    }
}

impl Error for Held {}

#[test]
fn a_refused_task_whose_captures_panic_when_dropped_leaks_no_cause() {
    let live = Live::default();
    on_one_thread(async {
        let ctx = Context::background().with_cancel();
        ctx.cancel_with(Held(live.token()));
        let result = scope(&ctx, async |s| {
            let refused = |spawn: &dyn Fn(HostileDrop)| {
                let bomb = HostileDrop(live.token());
                assert!(catch_unwind(AssertUnwindSafe(|| spawn(bomb))).is_err());
            };
            refused(&|bomb| {
                let _handle = s.spawn(async move |_| drop(bomb));
            });
            refused(&|bomb| {
                let _handle = s.isolated(async move |_| drop(bomb));
            });
            refused(&|bomb| {
                let _handle = s.spawn_blocking(move |_| drop(bomb));
            });
            refused(&|bomb| {
                let _handle = s.task().spawn_cancellable(async move { drop(bomb) });
            });
            refused(&|bomb| {
                let starting = s.start(async move |_, _: Ready<()>| drop(bomb));
                let _ = pin!(starting).poll(&mut Poller::from_waker(Waker::noop()));
            });
            Ok::<_, Cancelled>(())
        });
        assert!(result.await.is_err());
    });
    assert_eq!(live.count(), 0);
}

#[test]
fn an_output_that_panics_when_dropped_is_not_dropped_by_the_panic_of_its_future() {
    /// Panics even while something else does.
    struct Bomb(#[expect(dead_code, reason = "held")] crate::support::LiveToken);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a drop");
        }
    }
    let live = Live::default();
    on_one_thread(async {
        let each = |_, (held, output): (Bomb, Bomb)| {
            let mut output = Some(output);
            std::future::poll_fn(move |_| {
                let _held = &held;
                Poll::Ready(Ok::<_, Cancelled>(output.take()))
            })
        };
        let items = [(Bomb(live.token()), Bomb(live.token()))];
        let ctx = Context::background();
        let all = policy::collect_all(&ctx, items, each);
        let caught = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(all)).await;
        assert!(caught.is_err());
    });
    assert_eq!(live.count(), 0);
}
