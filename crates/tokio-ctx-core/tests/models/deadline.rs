//! Deadlines, on a clock that moves when a thread of the model moves it.

use std::time::Duration;

use tokio_ctx_core::{Context, model};

use super::harness::{Model, cancellable, err, spawn, wait};
use super::on_cancel::Runs;

const LIMIT: Duration = Duration::from_millis(10);

/// A waiter, and nothing but the deadline to wake it.
#[test]
fn deadline_wakes() {
    Model::of(1_000).explore(|_| {
        let ctx = Context::background().with_timeout(LIMIT);
        let clock = spawn(|| model::advance(LIMIT));
        assert_eq!(wait(&ctx), 'd');
        clock.join().unwrap();
    });
}

/// The same below the context that has the deadline.
#[test]
fn deadline_wakes_a_child() {
    Model::of(1_000).explore(|_| {
        let ctx = Context::background().with_timeout(LIMIT);
        let child = ctx.with_cancel().disarm();
        let clock = spawn(|| model::advance(LIMIT));
        assert_eq!(wait(&child), 'd');
        assert_eq!(err(&ctx), Some('d'));
        clock.join().unwrap();
    });
}

/// Two waiters share one timer.
#[test]
fn deadline_wakes_two_waiters() {
    Model::of(30_000).large().explore(|_| {
        let ctx = Context::background().with_timeout(LIMIT);
        let other = ctx.clone();
        let clock = spawn(|| model::advance(LIMIT));
        let waiter = spawn(move || wait(&other));
        assert_eq!(wait(&ctx), 'd');
        assert_eq!(waiter.join().unwrap(), 'd');
        clock.join().unwrap();
    });
}

/// Arming, the deadline and a cancel from above.
#[test]
fn deadline_against_cancel() {
    Model::of(10_000).large().sees(&["d", "A"]).explore(|seen| {
        let (parent, handle) = cancellable(&Context::background());
        let ctx = parent.with_timeout(LIMIT);
        let clock = spawn(|| model::advance(LIMIT));
        let canceller = spawn(move || handle.cancel_with("A"));
        let woken_with = wait(&ctx);
        assert!(canceller.join().unwrap());
        clock.join().unwrap();
        assert_eq!(err(&ctx), Some(woken_with));
        seen.mark(if woken_with == 'd' { "d" } else { "A" });
    });
}

/// A cancel of the very context against its deadline: the one that is told `true` is reported.
#[test]
fn own_cancel_against_deadline() {
    Model::of(4_000).sees(&["d", "A"]).explore(|seen| {
        let (ctx, handle) = cancellable(&Context::background().with_timeout(LIMIT));
        let clock = spawn(|| model::advance(LIMIT));
        let observed = ctx.clone();
        let canceller = spawn(move || {
            let is_overdue = observed.remaining() == Some(Duration::ZERO);
            let has_won = handle.cancel_with("A");
            assert!(!(is_overdue && has_won), "cancelled after its deadline");
            has_won
        });
        let first = err(&ctx);
        let has_won = canceller.join().unwrap();
        clock.join().unwrap();
        let outcome = err(&ctx);
        assert_eq!(outcome, Some(if has_won { 'A' } else { 'd' }));
        assert!(first.is_none() || first == outcome);
        seen.mark(if has_won { "A" } else { "d" });
    });
}

/// The runtime that runs the timer goes, with a waiter who does not poll again on his own.
#[test]
fn lost_timer_is_handed_over() {
    Model::of(100).large().explore(|_| {
        let ctx = Context::background().with_timeout(LIMIT);
        let runtime = spawn(model::lose_timers);
        let clock = spawn(|| model::advance(LIMIT));
        assert_eq!(wait(&ctx), 'd');
        runtime.join().unwrap();
        clock.join().unwrap();
    });
}

/// The same with a callback, which polls nothing at all.
#[test]
fn lost_timer_of_a_callback_is_handed_over() {
    Model::of(10).small().explore(|_| {
        let runs = Runs::default();
        let ctx = Context::background().with_timeout(LIMIT);
        ctx.on_cancel(runs.callback()).disarm();
        let runtime = spawn(model::lose_timers);
        model::advance(LIMIT);
        runtime.join().unwrap();
        assert_eq!(runs.all(), "d");
    });
}

/// A reader sees by the clock what the timer is about to tell: one outcome, and the callback
/// runs once, whoever was first.
#[test]
fn reader_against_timer() {
    Model::of(300).sees(&["live", "ended"]).explore(|seen| {
        let runs = Runs::default();
        let ctx = Context::background().with_timeout(LIMIT);
        ctx.on_cancel(runs.callback()).disarm();
        let clock = spawn(|| model::advance(LIMIT));
        seen.mark(if ctx.is_done() { "ended" } else { "live" });
        clock.join().unwrap();
        assert_eq!(runs.all(), "d");
        assert_eq!(err(&ctx), Some('d'));
    });
}

/// A reader below resolves a deadline above it: who waits up there is woken.
#[test]
fn reader_below_wakes_waiters_above() {
    Model::of(400)
        .large()
        .sees(&["live", "ended"])
        .explore(|seen| {
            let ctx = Context::background().with_timeout(LIMIT);
            let child = ctx.with_cancel().disarm();
            let clock = spawn(|| model::advance(LIMIT));
            let waiter = spawn(move || wait(&ctx));
            seen.mark(if err(&child).is_some() {
                "ended"
            } else {
                "live"
            });
            assert_eq!(waiter.join().unwrap(), 'd');
            clock.join().unwrap();
            assert_eq!(err(&child), Some('d'));
        });
}

/// A reader resolves a deadline: callbacks below it run all the same, and not twice.
#[test]
fn reader_leaves_callbacks_below_to_others() {
    Model::of(200).sees(&["live", "ended"]).explore(|seen| {
        let runs = Runs::default();
        let ctx = Context::background().with_timeout(LIMIT);
        let child = ctx.with_cancel().disarm();
        child.on_cancel(runs.callback()).disarm();
        let clock = spawn(|| model::advance(LIMIT));
        seen.mark(if ctx.is_done() { "ended" } else { "live" });
        clock.join().unwrap();
        assert_eq!(runs.all(), "d");
        assert_eq!(err(&child), Some('d'));
    });
}

/// Of two deadlines the earlier is reported, also by who looks after both.
#[test]
fn earlier_deadline_is_reported() {
    Model::of(2_000).sees(&["live", "ended"]).explore(|seen| {
        let parent = Context::background().with_timeout(2 * LIMIT);
        let child = parent.with_timeout(LIMIT);
        let clock = spawn(|| {
            model::advance(LIMIT);
            model::advance(LIMIT);
        });
        let first = child.err();
        let after = model::block_on(child.done()).after();
        clock.join().unwrap();
        assert_eq!(after, Some(LIMIT));
        assert_eq!(
            parent.err().and_then(|parent| parent.after()),
            Some(2 * LIMIT)
        );
        seen.mark(if first.is_some() { "ended" } else { "live" });
    });
}

/// Nobody drives the runtime in which the timer was armed: the callback runs all the same, once.
#[test]
fn undriven_runtime_loses_no_deadline() {
    Model::of(5).small().explore(|_| {
        model::let_stall();
        let runs = Runs::default();
        let ctx = Context::background().with_timeout(LIMIT);
        let registration = ctx.on_cancel(runs.callback());
        let clock = spawn(|| {
            model::stall();
            model::advance(LIMIT);
        });
        let token = ctx.token();
        clock.join().unwrap();
        assert_eq!(runs.all(), "d");
        assert!(token.is_cancelled());
        drop(registration);
    });
}
