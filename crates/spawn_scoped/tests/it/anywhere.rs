//! Promise 21: a scope works in any runtime, under any executor, and moves nobody's clock.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context as Poller, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use spawn_scoped::{ScopeOptions, policy, root, scope};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::LocalSet;
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{Live, current_thread};

/// Runs a test on a thread of its own, and fails when it hangs.
fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let running = thread::spawn(move || {
        let _ = done.send(test());
    });
    match result.recv_timeout(Duration::from_secs(20)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match running.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("it would have sent"),
        },
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor that knows nothing of tokio.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Poller::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A runtime without the time driver.
fn without_timers() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Waits for something that no clock drives.
async fn wind_down(on_thread_for: Duration) {
    let (done, rest) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        thread::sleep(on_thread_for);
        let _ = done.send(());
    });
    rest.await.unwrap();
}

#[test]
fn a_cancelled_scope_waits_for_its_task_without_timers() {
    let result = in_time(|| {
        without_timers().block_on(async {
            scope(&Context::background(), async |s| {
                s.spawn(async |ctx| {
                    ctx.done().await;
                    wind_down(Duration::from_millis(5)).await;
                    Ok::<_, Cancelled>(())
                });
                tokio::task::yield_now().await;
                s.cancel();
                Ok(7)
            })
            .await
        })
    });
    assert_eq!(result.unwrap(), 7);
}

#[test]
fn a_grace_is_over_without_timers() {
    let result = in_time(|| {
        without_timers().block_on(async {
            let ctx = Context::background().with_cancel();
            let options = ScopeOptions::<Cancelled>::new().grace(Duration::from_millis(5));
            let ran = options.run(&ctx, async |s| {
                s.spawn(async |_| std::future::pending::<Result<(), _>>().await);
                ctx.cancel();
                Ok(())
            });
            ran.await
        })
    });
    assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
}

#[test]
fn a_scope_that_is_dropped_without_timers_hands_its_task_on() {
    let live = Live::default();
    let token = live.token();
    in_time(move || {
        without_timers().block_on(async {
            let ctx = Context::background();
            let mut scope = Box::pin(scope(&ctx, async |s| {
                s.spawn(async move |ctx| {
                    let _held = token;
                    ctx.done().await;
                    Ok::<_, Cancelled>(())
                });
                std::future::pending::<Result<(), Cancelled>>().await
            }));
            assert!(futures_util::poll!(scope.as_mut()).is_pending());
            tokio::task::yield_now().await;
            drop(scope);
            root().join().await;
        });
    });
    assert_eq!(live.count(), 0);
}

#[test]
fn a_race_ends_without_timers() {
    let winner = in_time(|| {
        without_timers().block_on(policy::race(
            &Context::background(),
            [0, 1],
            async |ctx: Context, number| {
                if number == 1 {
                    ctx.done().await;
                    wind_down(Duration::from_millis(5)).await;
                }
                Ok::<_, Cancelled>(number)
            },
        ))
    });
    assert_eq!(winner.unwrap().unwrap(), 0);
}

#[test]
fn a_scope_returns_under_another_executor_in_a_blocking_task() {
    let sum = in_time(|| {
        current_thread().block_on(async {
            tokio::task::spawn_blocking(|| {
                block_on(scope(&Context::background(), async |s| {
                    for _ in 0..3 {
                        s.spawn(async |_| {
                            tokio::task::yield_now().await;
                            Ok::<_, Cancelled>(())
                        });
                    }
                    Ok(3)
                }))
            })
            .await
            .unwrap()
        })
    });
    assert_eq!(sum.unwrap(), 3);
}

#[test]
fn a_body_awaits_many_tasks_under_another_executor_in_a_task() {
    // More than the budget that tokio gives to one poll of a task.
    const MANY: usize = 1_000;
    let count = in_time(|| {
        let workers = Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let other = current_thread();
        let handle = other.handle().clone();
        // Driven by a thread of its own, since the task below blocks its worker.
        thread::spawn(move || other.block_on(std::future::pending::<()>()));
        workers.block_on(async {
            let blocked = tokio::spawn(async move {
                let _elsewhere = handle.enter();
                block_on(scope(&Context::background(), async |s| {
                    let tasks: Vec<_> = (0..MANY)
                        .map(|_| s.spawn(async |_| Ok::<_, Cancelled>(1)))
                        .collect();
                    while !tasks.iter().all(spawn_scoped::Task::is_finished) {
                        thread::yield_now();
                    }
                    let mut count = 0;
                    for task in tasks {
                        count += task.await?;
                    }
                    Ok(count)
                }))
            });
            blocked.await.unwrap()
        })
    });
    assert_eq!(count.unwrap(), MANY);
}

#[test]
fn a_scope_without_tasks_needs_no_runtime() {
    assert!(Handle::try_current().is_err());
    let parent = Context::background().with_cancel();
    let handle = parent.handle();
    let result = in_time(move || {
        block_on(scope(&parent, async |s| {
            let asked = s.context().clone();
            thread::spawn(move || handle.cancel());
            Ok::<_, Cancelled>(asked.done().await.reason())
        }))
    });
    assert_eq!(result.unwrap(), Reason::Cancelled);
}

/// A local task has a number of its own wherever it is polled, so that says nothing of a runtime.
#[test]
fn a_spawn_from_a_local_task_without_a_runtime_is_lost_rather_than_a_panic() {
    let result = in_time(|| {
        let local = LocalSet::new();
        let task = local.spawn_local(async {
            scope(&Context::background(), async |s| {
                s.spawn(async |_| Ok::<_, Cancelled>(()));
                Ok(())
            })
            .await
        });
        block_on(local.run_until(task)).expect("no panic")
    });
    assert_eq!(result.unwrap_err().reason(), Reason::TaskLost);
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_while_a_cancelled_task_winds_down() {
    let begun = tokio::time::Instant::now();
    let unrelated = Context::background().with_timeout(Duration::from_secs(3600));
    scope(&Context::background(), async |s| {
        s.spawn(async |ctx| {
            ctx.done().await;
            wind_down(Duration::from_millis(50)).await;
            Ok::<_, Cancelled>(())
        });
        tokio::task::yield_now().await;
        s.cancel();
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(unrelated.check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_moves_by_the_grace_alone() {
    let begun = tokio::time::Instant::now();
    let parent = Context::background().with_cancel();
    let result = ScopeOptions::<Cancelled>::new()
        .grace(Duration::from_secs(3))
        .run(&parent, async |s| {
            s.spawn(async |_| std::future::pending::<Result<(), Cancelled>>().await);
            parent.cancel();
            std::future::pending::<Result<(), Cancelled>>().await
        })
        .await;
    assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_while_the_task_of_a_dropped_scope_winds_down() {
    let begun = tokio::time::Instant::now();
    let ctx = Context::background();
    let mut scope = Box::pin(scope(&ctx, async |s| {
        s.spawn(async |ctx| {
            ctx.done().await;
            wind_down(Duration::from_millis(50)).await;
            Ok::<_, Cancelled>(())
        });
        std::future::pending::<Result<(), Cancelled>>().await
    }));
    assert!(futures_util::poll!(scope.as_mut()).is_pending());
    drop(scope);
    root().join().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
