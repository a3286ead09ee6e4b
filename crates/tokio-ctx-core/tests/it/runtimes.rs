//! Deadlines and cancels where runtimes come, go, block, or never were.

use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant as StdInstant};

use futures_util::future::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::advance;
use tokio_ctx_core::future::DoneOwned;
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{
    Count, HOUR, PATIENCE, SOON, assert_ended, assert_live, on_drop, poll, poll_with, reason_of,
};

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime")
}

/// Polls once inside `runtime`, which arms a timer there.
fn arm_in(runtime: &Runtime, done: &mut Pin<Box<DoneOwned>>) {
    runtime.block_on(async { assert!(poll(done.as_mut()).is_pending()) });
}

/// Waits for an end, but not for ever.
fn wait_in(runtime: &Runtime, done: Pin<Box<DoneOwned>>) -> Cancelled {
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, done)
            .await
            .expect("nobody is left asleep past a deadline")
    })
}

#[test]
fn on_an_executor_that_is_not_tokios_a_deadline_is_kept() {
    let start = StdInstant::now();
    let ctx = Context::background().with_timeout(SOON);
    let cancelled = futures_executor::block_on(ctx.done());
    assert_eq!(cancelled.reason(), Reason::Deadline);
    assert!(start.elapsed() >= SOON);
}

#[test]
fn on_an_executor_that_is_not_tokios_a_cancel_wakes() {
    let ctx = Context::background().with_timeout(HOUR).with_cancel();
    let (handle, done) = (ctx.handle(), ctx.done_owned());
    let (ready, wait) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let mut done = Box::pin(done);
        assert!(poll(done.as_mut()).is_pending());
        ready.send(()).expect("received");
        futures_executor::block_on(done).reason()
    });
    wait.recv().expect("sent");
    assert!(handle.cancel());
    assert_eq!(waiter.join().expect("no panic"), Reason::Cancelled);
}

#[test]
fn without_a_runtime_callbacks_and_tokens_see_the_deadline() {
    let ctx = Context::background().with_timeout(SOON);
    let (sender, receiver) = mpsc::channel();
    let _registration = ctx.on_cancel(move |why| sender.send(why.reason()).expect("received"));
    let token = ctx.token();
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Reason::Deadline));
    futures_executor::block_on(token.cancelled());

    let ctx = Context::background().with_timeout(SOON);
    let token = ctx.token();
    futures_executor::block_on(token.cancelled());
    assert_ended(&ctx, Reason::Deadline);
}

#[test]
fn without_a_runtime_many_deadlines_fire_in_their_order() {
    let (sender, receiver) = mpsc::channel();
    let contexts: Vec<_> = (0..10_u32)
        .rev()
        .map(|index| {
            let ctx = Context::background().with_timeout(SOON + SOON * index / 4);
            let sender = sender.clone();
            ctx.on_cancel(move |_| sender.send(index).expect("received"))
                .disarm();
            ctx
        })
        .collect();
    for expected in 0..10 {
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(expected));
    }
    assert!(contexts.iter().all(Context::is_done));
}

#[test]
fn a_waiter_outlives_the_runtime_that_armed_the_timer() {
    for armed_in in [current_thread(), multi_thread()] {
        let ctx = Context::background().with_timeout(SOON);
        let (mut other, mut moved) = (Box::pin(ctx.done_owned()), Box::pin(ctx.done_owned()));
        arm_in(&armed_in, &mut other);
        arm_in(&armed_in, &mut moved);
        drop(armed_in);
        let runtime = current_thread();
        assert_eq!(wait_in(&runtime, moved).reason(), Reason::Deadline);
        assert_eq!(
            wait_in(&runtime, Box::pin(ctx.done_owned())).reason(),
            Reason::Deadline
        );
    }
}

#[test]
fn a_waiter_needs_no_other_runtime_to_be_driven() {
    let idle = current_thread();
    let ctx = Context::background().with_timeout(SOON);
    let (mut other, mut moved) = (Box::pin(ctx.done_owned()), Box::pin(ctx.done_owned()));
    arm_in(&idle, &mut other);
    arm_in(&idle, &mut moved);
    // `idle` is never driven again.
    assert_eq!(wait_in(&current_thread(), moved).reason(), Reason::Deadline);

    let ctx = Context::background().with_timeout(SOON);
    let mut other = Box::pin(ctx.done_owned());
    arm_in(&idle, &mut other);
    assert_eq!(
        futures_executor::block_on(ctx.done()).reason(),
        Reason::Deadline
    );
}

#[test]
fn a_waiter_sleeps_on_while_the_runtime_that_armed_the_timer_goes() {
    for armed_in in [current_thread(), multi_thread()] {
        let ctx = Context::background().with_timeout(SOON);
        let mut other = Box::pin(ctx.done_owned());
        arm_in(&armed_in, &mut other);
        let done = Box::pin(ctx.done_owned());
        let (ready, wait) = mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let (runtime, mut done) = (current_thread(), done);
            arm_in(&runtime, &mut done);
            ready.send(()).expect("received");
            wait_in(&runtime, done).reason()
        });
        wait.recv().expect("sent");
        drop(armed_in);
        assert_eq!(waiter.join().expect("no panic"), Reason::Deadline);
    }
}

#[test]
fn a_callback_outlives_the_runtime_that_armed_its_timer() {
    for runtime in [current_thread(), multi_thread()] {
        let ctx = Context::background().with_timeout(SOON);
        let (sender, receiver) = mpsc::channel();
        let _registration = runtime.block_on(async {
            ctx.on_cancel(move |why| sender.send(why.reason()).expect("received"))
        });
        drop(runtime);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Reason::Deadline));
        assert_ended(&ctx, Reason::Deadline);
    }
}

#[test]
fn a_callback_of_a_runtime_that_went_after_the_deadline_runs_too() {
    let runtime = current_thread();
    let ctx = Context::background().with_timeout(SOON);
    let (sender, receiver) = mpsc::channel();
    let _registration = runtime
        .block_on(async { ctx.on_cancel(move |why| sender.send(why.reason()).expect("received")) });
    while ctx.remaining() != Some(Duration::ZERO) {
        std::hint::spin_loop();
    }
    drop(runtime);
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Reason::Deadline));
}

#[test]
fn a_context_outlives_the_runtime_of_its_first_wait() {
    let guard = Context::background().with_timeout(HOUR).with_cancel();
    let woken = Count::default();
    let mut done = Box::pin(guard.done_owned());
    let runtime = current_thread();
    runtime.block_on(async {
        assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
    });
    drop(runtime);
    assert_live(&guard);
    guard.cancel();
    assert_eq!(woken.get(), 1);
    assert!(poll(done.as_mut()).is_ready());
}

#[test]
fn waiting_inside_of_a_runtime_that_is_gone_still_ends() {
    let runtime = current_thread();
    let gone = runtime.handle().clone();
    drop(runtime);
    let _entered = gone.enter();
    let ctx = Context::background().with_timeout(SOON);
    let (sender, receiver) = mpsc::channel();
    let _registration = ctx.on_cancel(move |why| sender.send(why.reason()).expect("received"));
    assert_eq!(
        futures_executor::block_on(ctx.done()).reason(),
        Reason::Deadline
    );
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Reason::Deadline));
}

#[tokio::test]
async fn a_busy_runtime_sees_its_deadline_without_a_timer() {
    let ctx = Context::background().with_timeout(SOON);
    let waiter = tokio::spawn(ctx.done_owned());
    tokio::task::yield_now().await;
    // Never yields again until it is over: no timer of this runtime can fire meanwhile.
    let mut rounds = 0_u64;
    while ctx.check().is_ok() {
        rounds += 1;
    }
    assert!(rounds > 0);
    assert_eq!(reason_of(&ctx), Reason::Deadline);
    assert!(waiter.await.expect("no panic").is_timeout());
}

#[tokio::test(start_paused = true)]
async fn on_a_paused_clock_an_hour_takes_no_time() {
    let start = StdInstant::now();
    let ctx = Context::background().with_timeout(HOUR);
    assert!(ctx.done().await.is_timeout());
    assert!(start.elapsed() < HOUR / 2);
}

#[tokio::test(start_paused = true)]
async fn threads_with_different_clocks_agree_once_one_has_looked() {
    let ctx = Context::background().with_timeout(HOUR);
    let outside = ctx.clone();
    let elsewhere = move || {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| outside.is_done());
            asked.join().expect("no panic")
        })
    };
    assert!(!elsewhere());
    advance(HOUR).await;
    assert!(ctx.is_done());
    assert!(
        elsewhere(),
        "the hour has not passed there, but the end is known"
    );
}

/// Runs `test` in a task that has no coop budget left.
async fn exhausted<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::spawn(async move {
        while tokio::task::coop::has_budget_remaining() {
            let _ = tokio::task::coop::consume_budget().now_or_never();
        }
        test()
    })
    .await
    .expect("no panic")
}

#[tokio::test(start_paused = true)]
async fn a_spent_coop_budget_loses_no_deadline() {
    let ctx = Context::background().with_timeout(Duration::from_secs(1));
    let woken = Count::default();
    let (waker, mut done) = (woken.waker(), Box::pin(ctx.done_owned()));
    let done = exhausted(move || {
        assert!(poll_with(done.as_mut(), &waker).is_pending());
        done
    })
    .await;
    let after_poll = woken.get();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(woken.get(), after_poll + 1);
    assert_eq!(done.await.reason(), Reason::Deadline);
}

#[tokio::test(start_paused = true)]
async fn a_spent_coop_budget_loses_no_callback() {
    let timed = Context::background().with_timeout(Duration::from_secs(1));
    let parent = Context::background().with_cancel();
    let child = parent.with_cancel().disarm();
    let count = Count::default();
    let registrations = {
        let (timed, child, count) = (timed.clone(), child.clone(), count.clone());
        exhausted(move || {
            [timed, child].map(|ctx| {
                let ran = count.clone();
                ctx.on_cancel(move |_| ran.add())
            })
        })
        .await
    };
    assert_eq!(count.get(), 0);
    parent.cancel();
    assert_eq!(count.get(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count.get(), 2);
    drop(registrations);
}

#[test]
fn contexts_work_in_destructors_while_a_runtime_shuts_down() {
    for runtime in [current_thread(), multi_thread()] {
        let guard = Context::background().with_timeout(HOUR).with_cancel();
        let ctx = Context::clone(&guard);
        let (ran, finished) = (Count::default(), Count::default());
        let in_drop = {
            let (ran, finished, ctx) = (ran.clone(), finished.clone(), ctx.clone());
            on_drop(move || {
                let counted = ran.clone();
                let below = ctx.with_timeout(HOUR / 2).with_cancel();
                below.on_cancel(move |_| counted.add()).disarm();
                assert!(poll(std::pin::pin!(below.done())).is_pending());
                let token = below.token();
                assert!(guard.cancel_with("shutting down"));
                assert!(token.is_cancelled());
                assert_ended(&below, Reason::Cancelled);
                finished.add();
            })
        };
        let (started, wait) = mpsc::channel();
        runtime.spawn(async move {
            let _in_drop = in_drop;
            started.send(()).expect("received");
            std::future::pending::<()>().await;
        });
        runtime.block_on(tokio::task::yield_now());
        wait.recv_timeout(PATIENCE).expect("the task has begun");
        drop(runtime);
        assert_eq!((ran.get(), finished.get()), (1, 1));
        assert_ended(&ctx, Reason::Cancelled);
    }
}

#[test]
fn a_runtime_without_its_time_driver_needs_none_until_a_deadline_is_waited_for() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let ctx = Context::background().with_cancel();
        let waiter = tokio::spawn(ctx.done_owned());
        tokio::task::yield_now().await;
        ctx.cancel();
        assert_eq!(waiter.await.expect("no panic").reason(), Reason::Cancelled);

        let timed = Context::background().with_timeout(SOON);
        while !timed.is_done() {
            std::hint::spin_loop();
        }
        assert_ended(&timed, Reason::Deadline);
    });
}

#[test]
fn a_blocking_thread_waits_through_its_runtimes_handle() {
    let runtime = multi_thread();
    let cancelled = runtime.block_on(async {
        let ctx = Context::background().with_timeout(SOON);
        let handle = Handle::current();
        let waiting = tokio::task::spawn_blocking(move || handle.block_on(ctx.done_owned()));
        waiting.await.expect("no panic")
    });
    assert!(cancelled.is_timeout());
}

#[test]
fn one_context_is_waited_for_in_two_runtimes_at_once() {
    let ctx = Context::background().with_timeout(SOON);
    let waiters: Vec<_> = [current_thread(), multi_thread()]
        .into_iter()
        .map(|runtime| {
            let done = Box::pin(ctx.done_owned());
            std::thread::spawn(move || wait_in(&runtime, done).reason())
        })
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.join().expect("no panic"), Reason::Deadline);
    }
}

#[test]
fn a_deadline_fires_though_the_runtime_that_armed_it_is_not_driven_any_more() {
    let idle = current_thread();
    let (callback, by_token, by_merge) = (
        Context::background().with_timeout(SOON),
        Context::background().with_timeout(SOON),
        Context::background().with_timeout(SOON),
    );
    let plain = Context::background().with_cancel();
    let merged = plain.merge(&by_merge);
    let (sender, receiver) = mpsc::channel();
    let token = idle.block_on(async {
        let of_merge = sender.clone();
        merged
            .on_cancel(move |why| of_merge.send(why.reason()).expect("received"))
            .disarm();
        callback
            .on_cancel(move |why| sender.send(why.reason()).expect("received"))
            .disarm();
        by_token.token()
    });
    // `idle` is never driven again.
    for _ in 0..2 {
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Reason::Deadline));
    }
    current_thread().block_on(async {
        let waited = tokio::time::timeout(PATIENCE, token.cancelled()).await;
        assert!(waited.is_ok());
    });
    drop(idle);
}

#[test]
fn another_executor_inside_of_a_runtime_that_it_blocks_sees_the_deadline() {
    let one = current_thread();
    let many = multi_thread();
    let wait = || {
        let ctx = Context::background().with_timeout(SOON);
        futures_executor::block_on(ctx.done()).reason()
    };
    assert_eq!(one.block_on(async { wait() }), Reason::Deadline);
    // Its only worker is the one that waits.
    let waiter = many.spawn(async move { wait() });
    assert_eq!(many.block_on(waiter).expect("no panic"), Reason::Deadline);
}

#[test]
fn a_runtime_without_timers_is_no_reason_to_panic() {
    let builders: [fn() -> Builder; 2] = [Builder::new_current_thread, || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    }];
    for new in builders {
        let runtime = new().build().expect("a runtime");
        runtime.block_on(async {
            for _ in 0..2 {
                let ctx = Context::background().with_timeout(SOON);
                assert_eq!(ctx.done().await.reason(), Reason::Deadline);
                let ctx = Context::background().with_timeout(SOON);
                let (sender, receiver) = tokio::sync::oneshot::channel();
                let _registration = ctx.on_cancel(move |_| sender.send(()).expect("received"));
                receiver.await.expect("it ran");
                let token = Context::background().with_timeout(HOUR).token();
                assert!(!token.is_cancelled());
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_is_the_only_one_that_counts() {
    let ctx = Context::background().with_timeout(SOON);
    let ran = Count::default();
    let counted = ran.clone();
    let _registration = ctx.on_cancel(move |_| counted.add());
    assert!(poll(std::pin::pin!(ctx.done())).is_pending());
    // Real time passes, and the test's clock stands still.
    let start = StdInstant::now();
    while start.elapsed() < SOON * 2 {}
    assert_live(&ctx);
    assert_eq!(ran.get(), 0);
    advance(SOON).await;
    tokio::task::yield_now().await;
    assert_eq!(ran.get(), 1);
    assert_ended(&ctx, Reason::Deadline);
}

/// How often the thread that keeps deadlines was woken so far.
#[cfg(target_os = "linux")]
fn wakes_of_the_keeper() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| status.lines().next() == Some("Name:\ttokio-ctx-time"))
        .filter_map(|status| {
            let line = status
                .lines()
                .find(|line| line.starts_with("voluntary_ctxt"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .sum()
}

#[cfg(target_os = "linux")]
#[test]
fn deadlines_that_are_given_up_in_time_do_not_wake_the_thread_that_keeps_them() {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut wait_for_a_moment = || {
        let ctx = Context::background().with_timeout(Duration::from_secs(3600));
        assert!(std::pin::pin!(ctx.done()).poll(&mut cx).is_pending());
    };
    wait_for_a_moment();
    let before = wakes_of_the_keeper();
    for _ in 0..10_000 {
        wait_for_a_moment();
    }
    // What other tests of this process do with that thread is far less.
    let woken = wakes_of_the_keeper() - before;
    assert!(woken < 2_000, "woken {woken} times");
}
