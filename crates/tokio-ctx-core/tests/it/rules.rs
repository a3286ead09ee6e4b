//! The eight rules of the kernel, one test each. Their races are in `stress`.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{Context, Reason};

use crate::support::{
    Count, HOUR, assert_ended, assert_live, cause_of, on_drop, poll, poll_with, waker,
};

#[test]
fn rule_1_first_outcome_wins_and_never_changes() {
    let parent = Context::background().with_cancel();
    let child = parent.with_cancel();
    let grandchild = child.with_cancel();
    parent.cancel_with("A");
    assert_eq!(cause_of(&grandchild).as_deref(), Some("A"));
    // Whoever was told A by the grandchild is never told B by the child.
    assert!(!child.cancel_with("B"));
    for ctx in [&parent, &child, &grandchild] {
        assert_eq!(cause_of(ctx).as_deref(), Some("A"));
    }
}

#[test]
fn rule_2_outcome_before_token() {
    let parent = Context::background().with_cancel();
    let child = parent.with_cancel().disarm();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for ctx in [Context::clone(&parent), child] {
        let (asked, seen) = (ctx.clone(), Arc::clone(&seen));
        let waker = waker(move || {
            // Inside of the wake-up: whoever wakes finds a cause.
            assert_ended(&asked, Reason::Cancelled);
            seen.lock().expect("no panic").push(cause_of(&asked));
        });
        let mut done = Box::pin(ctx.done_owned());
        assert!(poll_with(done.as_mut(), &waker).is_pending());
        waiting.push(done);
    }
    parent.cancel_with("stored first");
    let cause = Some(String::from("stored first"));
    assert_eq!(*seen.lock().expect("no panic"), [cause.clone(), cause]);
}

#[test]
fn rule_3_nothing_foreign_runs_under_a_lock() {
    let ctx = Context::background().with_cancel();
    let used = Count::default();
    // Whatever runs uses the context in every way that takes its lock.
    let uses = {
        let (ctx, handle, used) = (Context::clone(&ctx), ctx.handle(), used.clone());
        Arc::new(move || {
            handle.cancel();
            assert_ended(&ctx, Reason::Cancelled);
            drop(ctx.on_cancel(|_| ()));
            used.add();
        })
    };
    let use_it = Arc::clone(&uses);
    let held = on_drop(move || use_it());
    let use_it = Arc::clone(&uses);
    ctx.on_cancel(move |_| {
        use_it();
        drop(held);
    })
    .disarm();
    let use_it = Arc::clone(&uses);
    let waker = waker(move || use_it());
    let mut done = Box::pin(ctx.done());
    assert!(poll_with(done.as_mut(), &waker).is_pending());
    ctx.cancel();
    // The waker, the callback, and the drop of what it held.
    assert_eq!(used.get(), 3);
}

#[test]
fn rule_4_a_waiter_cannot_miss_the_cancel() {
    let parent = Context::background().with_cancel();
    let (early, late) = (parent.with_cancel(), parent.with_cancel());
    let woken = Count::default();
    let mut waiting = std::pin::pin!(early.done());
    assert!(poll_with(waiting.as_mut(), &woken.waker()).is_pending());
    parent.cancel();
    assert_eq!(woken.get(), 1);
    // Too late for a wake-up, and told at once.
    assert!(poll(std::pin::pin!(late.done())).is_ready());
    assert!(late.token().is_cancelled());
    assert!(!late.on_cancel(|_| ()).stop());
}

#[test]
fn rule_5_cancel_never_blocks_never_panics_and_needs_no_runtime() {
    struct Terrible;

    impl fmt::Debug for Terrible {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }

    impl fmt::Display for Terrible {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }

    impl Error for Terrible {}

    let ctx = Context::background().with_timeout(HOUR).with_cancel();
    let below = ctx.with_cancel();
    ctx.on_cancel(|_| panic!("on purpose")).disarm();
    below.on_cancel(|_| panic!("on purpose")).disarm();
    let panics = waker(|| panic!("on purpose"));
    let mut done = std::pin::pin!(below.done_owned());
    assert!(poll_with(done.as_mut(), &panics).is_pending());
    assert!(tokio::runtime::Handle::try_current().is_err());
    assert!(ctx.cancel_with(Terrible));
    assert!(
        below
            .err()
            .is_some_and(|cancelled| cancelled.cause::<Terrible>().is_some())
    );
}

#[test]
fn rule_6_drop_is_iterative() {
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(|| {
        let root = Context::background().with_cancel();
        let mut leaf = Context::clone(&root);
        for _ in 0..100_000 {
            leaf = leaf.with_cancel().disarm();
        }
        drop(root);
        assert_ended(&leaf, Reason::GuardDropped);
    });
    assert!(thread.expect("a thread").join().is_ok());
}

#[tokio::test(start_paused = true)]
async fn rule_7_asking_runs_nobodys_code() {
    let ctx = Context::background().with_timeout(Duration::from_secs(1));
    let asker = std::thread::current().id();
    let (sender, receiver) = std::sync::mpsc::channel();
    ctx.on_cancel(move |_| sender.send(std::thread::current().id()).expect("received"))
        .disarm();
    let child = ctx.with_cancel();
    let of_parent = child.with_cancel();
    advance(Duration::from_millis(999)).await;
    assert_live(&ctx);
    // The clock moves, and before the runtime looks at its timers, somebody asks.
    let mut moved = std::pin::pin!(advance(Duration::from_millis(1)));
    assert!(poll(moved.as_mut()).is_pending());
    assert!(of_parent.is_done() && child.err().is_some() && ctx.check().is_err());
    let ran_on = receiver
        .recv_timeout(crate::support::PATIENCE)
        .expect("it is not lost");
    assert_ne!(ran_on, asker);
    assert!(receiver.try_recv().is_err(), "and runs once");
}

#[test]
fn rule_8_a_merge_walks_a_flat_deduplicated_list() {
    let root = Context::background().with_cancel();
    let mut diamond = root.with_cancel().disarm();
    for _ in 0..20 {
        let (left, right) = (
            diamond.with_cancel().disarm(),
            diamond.with_cancel().disarm(),
        );
        diamond = left.merge(&right);
    }
    // A recursion would take 2²⁰ steps for each of these questions.
    for _ in 0..10_000 {
        assert!(!diamond.is_done());
    }
    root.cancel();
    assert_ended(&diamond, Reason::Cancelled);
}
