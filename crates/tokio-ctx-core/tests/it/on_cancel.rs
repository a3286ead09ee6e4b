//! Callbacks: exactly once, at once when it is too late, and stopped by dropping.

use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use tokio_ctx_core::{CancellationToken, Context, Reason};

use crate::support::{Count, HOUR, PATIENCE, assert_ended};

#[test]
fn a_callback_does_not_run_before_the_end() {
    let ctx = Context::background().with_cancel();
    let count = Count::default();
    let ran = count.clone();
    let _registration = ctx.on_cancel(move |_| ran.add());
    assert!(!ctx.is_done());
    assert_eq!(count.get(), 0);
    ctx.cancel();
    assert_eq!(count.get(), 1);
}

#[test]
fn a_callback_has_run_when_cancel_returns_and_cannot_be_stopped_then() {
    let ctx = Context::background().with_cancel();
    let (sender, receiver) = mpsc::channel();
    let registration = ctx.on_cancel(move |why| sender.send(why.to_string()).expect("received"));
    ctx.cancel_with("over");
    assert!(
        receiver
            .try_recv()
            .expect("it has run")
            .starts_with("cancelled: over")
    );
    assert!(!registration.stop());
    assert!(receiver.try_recv().is_err(), "it ran once");
}

#[test]
fn a_callback_below_the_cancelled_context_has_run_when_cancel_returns() {
    let parent = Context::background().with_cancel();
    let child = parent
        .with_cancel()
        .disarm()
        .with_timeout(HOUR)
        .with_cancel();
    let count = Count::default();
    let ran = count.clone();
    child
        .on_cancel(move |why| {
            assert_eq!(why.reason(), Reason::Cancelled);
            ran.add();
        })
        .disarm();
    parent.cancel();
    assert_eq!(count.get(), 1);
}

#[test]
fn a_callback_runs_when_the_guard_drops() {
    let guard = Context::background().with_cancel();
    let reason = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&reason);
    guard
        .on_cancel(move |why| *seen.lock().expect("no panic") = Some(why.reason()))
        .disarm();
    drop(guard);
    assert_eq!(
        *reason.lock().expect("no panic"),
        Some(Reason::GuardDropped)
    );
}

#[tokio::test(start_paused = true)]
async fn a_callback_runs_at_the_deadline() {
    let ctx = Context::background().with_timeout(Duration::from_millis(10));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let registration = ctx.on_cancel(move |why| {
        let _ = sender.send(why.reason());
    });
    assert_eq!(receiver.await, Ok(Reason::Deadline));
    assert!(!registration.stop());
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_run_before_the_end_by_nothing_and_after_it_by_the_timer() {
    let ctx = Context::background().with_timeout(Duration::from_millis(10));
    let count = Count::default();
    let ran = count.clone();
    let _registration = ctx.on_cancel(move |_| ran.add());
    tokio::time::advance(Duration::from_millis(9)).await;
    assert_eq!(count.get(), 0);
    tokio::time::advance(Duration::from_millis(1)).await;
    // The timer has the resolution of a millisecond.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(count.get(), 1);
}

#[test]
fn on_an_ended_context_a_callback_runs_before_on_cancel_returns() {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with("before");
    let thread = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&thread);
    let registration = ctx.on_cancel(move |why| {
        assert!(why.to_string().contains("before"));
        *seen.lock().expect("no panic") = Some(std::thread::current().id());
    });
    assert_eq!(
        *thread.lock().expect("no panic"),
        Some(std::thread::current().id())
    );
    assert!(!registration.stop());
}

#[test]
fn a_stopped_callback_never_runs_and_is_dropped_at_once() {
    let ctx = Context::background().with_cancel();
    let (ran, dropped) = (Count::default(), Count::default());
    let (counted, held) = (ran.clone(), dropped.on_drop());
    let registration = ctx.on_cancel(move |_| {
        drop(held);
        counted.add();
    });
    assert!(registration.stop());
    assert_eq!(dropped.get(), 1);
    ctx.cancel();
    assert_eq!(ran.get(), 0);
}

#[test]
fn dropping_the_registration_stops_the_callback() {
    let ctx = Context::background().with_cancel();
    let count = Count::default();
    let ran = count.clone();
    drop(ctx.on_cancel(move |_| ran.add()));
    ctx.cancel();
    assert_eq!(count.get(), 0);
}

#[test]
fn a_detached_callback_runs_without_its_registration() {
    let ctx = Context::background().with_cancel();
    let count = Count::default();
    let ran = count.clone();
    ctx.on_cancel(move |_| ran.add()).disarm();
    ctx.cancel();
    assert_eq!(count.get(), 1);
}

#[test]
fn a_registration_keeps_its_context_so_that_the_callback_can_run() {
    let parent = Context::background().with_cancel();
    let count = Count::default();
    let ran = count.clone();
    let registration = parent.with_timeout(HOUR).on_cancel(move |_| ran.add());
    parent.cancel();
    assert_eq!(count.get(), 1);
    assert!(!registration.stop());
}

#[test]
fn a_context_dropped_without_an_end_drops_its_callbacks_without_running_them() {
    let ctx = Context::background().with_timeout(HOUR);
    let (ran, dropped) = (Count::default(), Count::default());
    let (counted, held) = (ran.clone(), dropped.on_drop());
    ctx.on_cancel(move |_| {
        drop(held);
        counted.add();
    })
    .disarm();
    drop(ctx);
    assert_eq!((ran.get(), dropped.get()), (0, 1));
}

#[test]
fn on_a_context_that_never_ends_stopping_always_prevents() {
    for root in [
        Context::background(),
        Context::todo(),
        Context::background().with_name("n"),
    ] {
        let dropped = Count::default();
        let held = dropped.on_drop();
        let registration = root.on_cancel(move |_| drop(held));
        assert!(registration.stop());
        assert_eq!(dropped.get(), 1);
    }
}

#[test]
fn several_callbacks_each_run_once_and_stop_alone() {
    let ctx = Context::background().with_cancel();
    let counts: Vec<Count> = (0..10).map(|_| Count::default()).collect();
    let mut registrations: Vec<_> = counts
        .iter()
        .cloned()
        .map(|count| ctx.on_cancel(move |_| count.add()))
        .collect();
    assert!(registrations.remove(3).stop());
    drop(registrations.remove(6));
    ctx.cancel();
    let ran: Vec<usize> = counts.iter().map(Count::get).collect();
    assert_eq!(ran, [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]);
}

#[test]
fn a_place_that_a_stopped_callback_left_is_not_confused_with_the_next_one() {
    let ctx = Context::background().with_cancel();
    let (first, second) = (Count::default(), Count::default());
    let (one, two) = (first.clone(), second.clone());
    let registration = ctx.on_cancel(move |_| one.add());
    assert!(registration.stop());
    let registration = ctx.on_cancel(move |_| two.add());
    ctx.cancel();
    assert!(!registration.stop());
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[test]
fn asking_runs_no_callback_on_the_thread_that_asks() {
    let ctx = Context::background().with_timeout(crate::support::SOON);
    let (sender, receiver) = mpsc::channel();
    ctx.on_cancel(move |_| sender.send(std::thread::current().id()).expect("received"))
        .disarm();
    let asker = std::thread::current().id();
    while !ctx.is_done() {
        std::hint::spin_loop();
    }
    assert!(ctx.err().is_some() && ctx.check().is_err());
    let ran_on = receiver
        .recv_timeout(PATIENCE)
        .expect("the callback is not lost");
    assert_ne!(ran_on, asker);
}

#[test]
fn a_blocked_callback_blocks_nobody_but_its_caller() {
    let parent = Context::background().with_cancel();
    let ctx = parent.with_cancel();
    let (entered, left) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let barriers = (Arc::clone(&entered), Arc::clone(&left));
    let _blocked = ctx.on_cancel(move |_| {
        barriers.0.wait();
        barriers.1.wait();
    });
    let handle = ctx.handle();
    let canceller = std::thread::spawn(move || handle.cancel_with("blocked inside"));
    entered.wait();
    // The callback is on the other thread's stack now, and holds no lock.
    assert_ended(&ctx, Reason::Cancelled);
    assert!(!ctx.cancel());
    assert!(parent.cancel());
    let count = Count::default();
    let ran = count.clone();
    assert!(!ctx.on_cancel(move |_| ran.add()).stop());
    assert_eq!(count.get(), 1);
    left.wait();
    assert!(canceller.join().expect("no panic"));
}

#[test]
fn a_callback_below_a_foreign_token_is_run_by_the_token() {
    let token = CancellationToken::new();
    let ctx = Context::from_token(&token).with_cancel().disarm();
    let count = Count::default();
    let ran = count.clone();
    let registration = ctx.on_cancel(move |why| {
        assert_eq!(why.reason(), Reason::Token);
        ran.add();
    });
    token.cancel();
    assert_eq!(count.get(), 1);
    assert!(!registration.stop());
}

#[test]
fn a_callback_on_a_merge_runs_when_either_parent_ends() {
    for first in [true, false] {
        let one = Context::background().with_cancel();
        let two = Context::background().with_cancel();
        let count = Count::default();
        let ran = count.clone();
        one.merge(&two).on_cancel(move |_| ran.add()).disarm();
        assert_eq!(
            count.get(),
            0,
            "detached from a merge that nobody holds: it is gone"
        );
        let merged = one.merge(&two);
        let ran = count.clone();
        merged.on_cancel(move |_| ran.add()).disarm();
        if first {
            one.cancel()
        } else {
            two.cancel()
        };
        assert_eq!(count.get(), 1);
        one.cancel();
        two.cancel();
        assert_eq!(count.get(), 1);
    }
}

#[test]
fn a_callback_may_take_what_is_sent_but_not_shared() {
    // `Cell` is `Send` and not `Sync`.
    let cell = std::cell::Cell::new(1);
    let ctx = Context::background().with_cancel();
    ctx.on_cancel(move |_| cell.set(2)).disarm();
    assert!(ctx.cancel());
}
