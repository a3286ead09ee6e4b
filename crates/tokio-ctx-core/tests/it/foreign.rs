//! Foreign code that panics, recurses, blocks or prints what it should not.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tokio_ctx_core::{CancelGuard, Context, Reason, key};

use crate::support::{
    Count, PATIENCE, SOON, assert_ended, cause_of, on_drop, poll, poll_with, waker,
};

/// A cause all of whose methods panic.
struct Hostile;

impl fmt::Debug for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose: Debug")
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose: Display")
    }
}

impl std::error::Error for Hostile {}

impl Drop for Hostile {
    fn drop(&mut self) {
        panic!("on purpose: drop");
    }
}

/// A subscriber that panics at every event.
struct Saboteur;

impl tracing::Subscriber for Saboteur {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        panic!("on purpose: a subscriber");
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Registers callbacks of which some panic, and waiters; cancels by `end`, and sees that every
/// callback ran and every waiter was woken.
fn all_run_and_all_wake(end: impl FnOnce(CancelGuard)) {
    let guard = Context::background().with_cancel();
    let (ran, woken) = (Count::default(), Count::default());
    let children: Vec<Context> = (0..5).map(|_| guard.with_cancel().disarm()).collect();
    let mut waiters = Vec::new();
    for (index, child) in children.iter().enumerate() {
        let counted = ran.clone();
        child
            .on_cancel(move |_| {
                counted.add();
                assert!(index % 2 == 0, "on purpose: a callback");
            })
            .disarm();
        let mut done = Box::pin(child.done_owned());
        assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
        waiters.push(done);
    }
    tracing::subscriber::with_default(Saboteur, || end(guard));
    assert_eq!((ran.get(), woken.get()), (5, 5));
    assert!(children.iter().all(Context::is_done));
    // The cause goes with the last who knows it, and panics there.
    tracing::subscriber::with_default(Saboteur, || drop((waiters, children)));
}

#[test]
fn a_cause_and_a_subscriber_that_panic_reach_neither_the_canceller_nor_the_others() {
    all_run_and_all_wake(|guard| assert!(guard.cancel_with(Hostile)));
}

#[test]
fn nothing_leaves_the_drop_of_a_guard_while_a_thread_unwinds() {
    all_run_and_all_wake(|guard| {
        let handle = guard.handle();
        let unwound = std::thread::spawn(move || {
            tracing::subscriber::with_default(Saboteur, || {
                let _late = on_drop(move || assert!(handle.cancel_with(Hostile)));
                panic!("on purpose");
            });
        });
        assert!(unwound.join().is_err());
    });
}

#[test]
fn a_cause_that_came_too_late_may_panic_when_it_is_dropped() {
    let ctx = Context::background().with_cancel();
    assert!(ctx.cancel());
    assert!(!ctx.cancel_with(Hostile));
    assert_ended(&ctx, Reason::Cancelled);
}

#[test]
fn what_callbacks_hold_may_panic_when_it_is_dropped() {
    let held = || on_drop(|| panic!("on purpose"));
    for endable in [true, false] {
        let guard = Context::background().with_cancel();
        let ctx = if endable {
            Context::clone(&guard)
        } else {
            Context::background()
        };
        let (stopped, dropped, kept) = (held(), held(), held());
        assert!(ctx.on_cancel(move |_| drop(stopped)).stop());
        drop(ctx.on_cancel(move |_| drop(dropped)));
        ctx.on_cancel(move |_| drop(kept)).disarm();
        drop(guard.disarm());
    }
    // And the cause of a deadline.
    drop(Context::background().with_timeout_cause(crate::support::HOUR, Hostile));
}

#[test]
fn values_that_panic_when_they_are_dropped_leave_none_behind_and_reach_nobody() {
    struct Bomb(Count, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.add();
            assert!(!self.1, "on purpose");
        }
    }
    key! { Bombs: Bomb }
    let count = Count::default();
    let mut ctx = Context::background();
    for index in 0..10 {
        ctx = ctx.with_value::<Bombs>(Bomb(count.clone(), index != 5));
    }
    drop(ctx);
    assert_eq!(count.get(), 10);
}

#[test]
fn callbacks_that_cancel_the_next_context_do_not_fill_the_stack() {
    const LEVELS: usize = 100_000;
    let ran = Count::default();
    let last = Context::background().with_cancel();
    let ended = Context::clone(&last);
    let counted = ran.clone();
    last.on_cancel(move |_| counted.add()).disarm();
    let mut next = last;
    for _ in 1..LEVELS {
        let guard = Context::background().with_cancel();
        let counted = ran.clone();
        guard
            .on_cancel(move |_| {
                counted.add();
                assert!(next.cancel());
            })
            .disarm();
        next = guard;
    }
    assert!(next.cancel());
    assert_eq!(ran.get(), LEVELS);
    assert_ended(&ended, Reason::Cancelled);
}

#[test]
fn wakers_that_cancel_the_next_context_do_not_fill_the_stack() {
    const LEVELS: usize = 20_000;
    let woken = Count::default();
    let mut waiters = Vec::new();
    let mut next: Option<CancelGuard> = None;
    for _ in 0..LEVELS {
        let guard = Context::background().with_cancel();
        let (counted, below) = (woken.clone(), next.take());
        let waker = waker(move || {
            counted.add();
            if let Some(below) = &below {
                below.cancel();
            }
        });
        let mut done = Box::pin(guard.done_owned());
        assert!(poll_with(done.as_mut(), &waker).is_pending());
        waiters.push(done);
        next = Some(guard);
    }
    assert!(next.expect("made").cancel());
    assert_eq!(woken.get(), LEVELS);
    // From the outside to the inside: each waker owns the guard of the next.
    waiters.reverse();
    assert!(
        waiters
            .into_iter()
            .all(|mut done| poll(done.as_mut()).is_ready())
    );
}

#[test]
fn few_levels_of_callbacks_have_run_when_the_inner_cancel_returns() {
    let inner = Context::background().with_cancel();
    let outer = Context::background().with_cancel();
    let ran = Count::default();
    let counted = ran.clone();
    inner.on_cancel(move |_| counted.add()).disarm();
    let counted = ran.clone();
    outer
        .on_cancel(move |_| {
            assert!(inner.cancel());
            assert_eq!(counted.get(), 1);
        })
        .disarm();
    outer.cancel();
    assert_eq!(ran.get(), 1);
}

#[test]
fn contexts_owned_by_callbacks_are_dropped_without_filling_the_stack() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let mut ctx = Context::background().with_cancel().disarm();
    ctx.on_cancel(move |_| drop(held)).disarm();
    for _ in 0..100_000 {
        let outer = Context::background().with_cancel().disarm();
        outer.on_cancel(move |_| drop(ctx)).disarm();
        ctx = outer;
    }
    drop(ctx);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_callback_that_blocks_holds_up_no_deadline() {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let (sender, receiver) = mpsc::channel();
    let mut contexts = Vec::new();
    for _ in 0..3 {
        let ctx = Context::background().with_timeout(SOON);
        let (blocked, sender) = (Arc::clone(&blocked), sender.clone());
        ctx.on_cancel(move |_| {
            sender.send("blocks").expect("received");
            let _ = blocked.lock().expect("no panic").recv();
        })
        .disarm();
        contexts.push(ctx);
    }
    for _ in 0..3 {
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok("blocks"));
    }
    // This one waits, in the callback of a deadline, for another deadline.
    let outer = Context::background().with_timeout(SOON);
    outer
        .on_cancel(move |_| {
            let inner = Context::background().with_timeout(SOON);
            let cancelled = futures_executor::block_on(inner.done());
            assert_eq!(cancelled.reason(), Reason::Deadline);
            sender.send("waited").expect("received");
        })
        .disarm();
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok("waited"));
    drop(release);
}

#[test]
fn text_from_outside_stays_on_one_line() {
    key! { Header: String, print }
    const FORGED: &str = "a\nERROR forged\r\x1b[2J\u{202e}b\u{2028}c";
    let escaped = r"a\nERROR forged\r\u{1b}[2J\u{202e}b\u{2028}c";
    let ctx = Context::background()
        .with_name(FORGED)
        .with_value::<Header>(FORGED.to_owned())
        .with_cancel();
    ctx.cancel_with(FORGED);
    let cancelled = ctx.err().expect("it ended");
    let values: Vec<String> = ctx
        .printable_values()
        .map(|(_, value)| value.to_string())
        .collect();
    assert_eq!(values, [escaped]);
    assert_eq!(
        cause_of(&ctx).as_deref(),
        Some(FORGED),
        "the cause itself is untouched"
    );
    for text in [
        cancelled.to_string(),
        format!("{cancelled:?}"),
        format!("{ctx:?}"),
        format!("{:?}", ctx.handle()),
    ] {
        let hidden = |char: char| char.is_control() || ('\u{2028}'..='\u{202e}').contains(&char);
        assert!(!text.contains(hidden), "{text:?}");
        assert!(text.contains(escaped), "{text}");
    }
}

/// A second panic while a thread unwinds ends the process, so this test could not even fail.
#[test]
fn an_output_that_panics_when_dropped_is_not_dropped_by_the_panic_of_its_future() {
    struct Bomb(Count);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.add();
            panic!("on purpose");
        }
    }
    let count = Count::default();
    let (held, output) = (Bomb(count.clone()), Bomb(count.clone()));
    let mut output = Some(output);
    let future = std::future::poll_fn(move |_| {
        let _held = &held;
        Poll::Ready(output.take())
    });
    let ctx = Context::background().with_cancel();
    let mut run = Box::pin(ctx.run(future));
    let polled = catch_unwind(AssertUnwindSafe(|| poll(run.as_mut())));
    assert!(polled.is_err(), "it is the caller's own");
    assert_eq!(count.get(), 2);
}
