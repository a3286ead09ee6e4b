//! Nothing is left behind: not by a drop, not by a stop, not by an end.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{CancellationToken, Context, owner};

use crate::support::{Count, HOUR, poll, poll_with};

/// What is captured by callbacks, to see whether they are still there.
fn probe() -> (Arc<()>, Weak<()>) {
    let strong = Arc::new(());
    let weak = Arc::downgrade(&strong);
    (strong, weak)
}

#[test]
fn a_child_that_is_dropped_is_forgotten_by_its_parent() {
    let parent = Context::background().with_cancel();
    let woken = Count::default();
    let (held, weak) = probe();
    let child = parent.with_timeout(HOUR).with_cancel();
    {
        let mut done = std::pin::pin!(child.done());
        assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
        child.on_cancel(move |_| drop(held)).disarm();
        assert!(weak.upgrade().is_some());
    }
    drop(child.disarm());
    assert!(
        weak.upgrade().is_none(),
        "the child and its callbacks are gone"
    );
    parent.cancel();
    assert_eq!(woken.get(), 0);
}

#[test]
fn an_end_lets_go_of_callbacks_that_ran() {
    let ctx = Context::background().with_cancel();
    let (held, weak) = probe();
    let registration = ctx.on_cancel(move |_| {
        let _ = &held;
    });
    ctx.cancel();
    assert!(weak.upgrade().is_none());
    drop(registration);
}

#[test]
fn a_stop_lets_go_of_its_callback_and_leaves_the_others() {
    let ctx = Context::background().with_cancel();
    let (first, of_first) = probe();
    let (second, of_second) = probe();
    let one = ctx.on_cancel(move |_| drop(first));
    let two = ctx.on_cancel(move |_| drop(second));
    assert!(one.stop());
    assert!(of_first.upgrade().is_none());
    assert!(of_second.upgrade().is_some());
    drop(two);
    assert!(of_second.upgrade().is_none());
}

#[test]
fn registrations_come_and_go_on_a_long_lived_context() {
    let ctx = Context::background().with_cancel();
    let (held, _) = probe();
    for _ in 0..1000 {
        let captured = Arc::clone(&held);
        let registration = ctx.on_cancel(move |_| drop(captured));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(registration);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn children_with_waiters_and_callbacks_come_and_go_under_a_long_lived_parent() {
    let parent = Context::background().with_cancel();
    let (held, _) = probe();
    let woken = Count::default();
    for round in 0..1000 {
        let child = parent.with_timeout(HOUR).with_cancel();
        let captured = Arc::clone(&held);
        child.on_cancel(move |_| drop(captured)).disarm();
        assert!(poll_with(std::pin::pin!(child.done()), &woken.waker()).is_pending());
        if round % 2 == 0 {
            drop(child.disarm());
        } else {
            drop(child);
        }
        assert_eq!(Arc::strong_count(&held), 1, "round {round}");
    }
    parent.cancel();
    assert_eq!(woken.get(), 0);
}

#[test]
fn merges_come_and_go_between_two_long_lived_parents() {
    let one = Context::background().with_cancel();
    let two = Context::background().with_timeout(HOUR).with_cancel();
    let (held, _) = probe();
    let woken = Count::default();
    for round in 0..1000 {
        let merged = one.merge(&two).with_cancel().disarm();
        let captured = Arc::clone(&held);
        merged.on_cancel(move |_| drop(captured)).disarm();
        let done = merged.done_owned();
        drop(merged);
        assert!(poll_with(std::pin::pin!(done), &woken.waker()).is_pending());
        assert_eq!(Arc::strong_count(&held), 1, "round {round}");
    }
    one.cancel();
    two.cancel();
    assert_eq!(woken.get(), 0);
}

#[test]
fn callbacks_below_a_foreign_token_leave_nothing_at_the_token() {
    let token = CancellationToken::new();
    let (held, _) = probe();
    for _ in 0..1000 {
        let ctx = Context::from_token(&token).with_cancel().disarm();
        let captured = Arc::clone(&held);
        ctx.on_cancel(move |_| drop(captured)).disarm();
        drop(ctx);
        assert_eq!(Arc::strong_count(&held), 1);
    }
    token.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_nobody_waits_for_any_more_wakes_nobody() {
    let woken = Count::default();
    let (held, weak) = probe();
    {
        let ctx = Context::background().with_timeout(Duration::from_secs(1));
        ctx.on_cancel(move |_| drop(held)).disarm();
        assert!(poll_with(std::pin::pin!(ctx.done()), &woken.waker()).is_pending());
    }
    assert!(weak.upgrade().is_none());
    advance(HOUR).await;
    assert_eq!(woken.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timer_does_not_outlive_its_context() {
    let ctx = Context::background().with_timeout(Duration::from_secs(1));
    assert!(poll(std::pin::pin!(ctx.done())).is_pending());
    drop(ctx);
    // A clock that is paused moves to the next timer there is, and that is this one.
    let start = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let woken = Count::default();
    let guard = Context::background()
        .with_timeout(Duration::from_secs(1))
        .with_cancel();
    assert!(poll_with(std::pin::pin!(guard.done()), &woken.waker()).is_pending());
}

#[test]
fn a_waiting_future_keeps_its_context_and_lets_go_of_it() {
    let parent = Context::background().with_cancel();
    let (held, weak) = probe();
    let ctx = parent.with_cancel().disarm();
    ctx.on_cancel(move |_| drop(held)).disarm();
    let mut done = Box::pin(ctx.done_owned());
    drop(ctx);
    assert!(poll(done.as_mut()).is_pending());
    assert!(weak.upgrade().is_some());
    drop(done);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_token_keeps_no_context() {
    let parent = Context::background().with_cancel();
    let (held, weak) = probe();
    let ctx = parent.with_cancel().disarm();
    ctx.on_cancel(move |_| drop(held)).disarm();
    let token = ctx.token();
    drop(ctx);
    assert!(weak.upgrade().is_none());
    parent.cancel();
    assert!(token.is_cancelled());
}

#[test]
fn an_owner_is_not_kept_by_its_contexts() {
    let scope: Arc<dyn std::any::Any + Send + Sync> = Arc::new(1);
    let weak = Arc::downgrade(&scope);
    let place = std::panic::Location::caller();
    let handle = owner::attach(&Context::background(), weak.clone(), place);
    let leaf = owner::context(&handle).with_cancel().disarm();
    drop(scope);
    assert_eq!(weak.strong_count(), 0);
    assert_eq!(owner::enclosing(&leaf).count(), 0);
}

#[test]
fn a_detached_callback_that_holds_its_own_context_is_freed_by_the_end() {
    let guard = Context::background().with_cancel();
    let (held, weak) = probe();
    let own = Context::clone(&guard);
    guard
        .on_cancel(move |_| {
            let _ = (&own, &held);
        })
        .disarm();
    assert!(weak.upgrade().is_some());
    drop(guard);
    assert!(weak.upgrade().is_none());
}
