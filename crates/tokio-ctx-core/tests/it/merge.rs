//! A context that ends with either of two.

use std::time::Duration;

use tokio::time::{Instant, advance};
use tokio_ctx_core::{CancellationToken, Context, Reason, key};

use crate::support::{Count, HOUR, assert_ended, assert_live, cause_of, poll, poll_with};

key! { Item: u32 }

#[test]
fn a_merge_ends_with_either_parent_and_leaves_the_other_alone() {
    for first in [true, false] {
        let one = Context::background().with_cancel();
        let two = Context::background().with_cancel();
        let merged = one.merge(&two);
        assert_live(&merged);
        let (ended, other) = if first { (&one, &two) } else { (&two, &one) };
        ended.cancel_with("half is enough");
        assert_ended(&merged, Reason::Cancelled);
        assert_eq!(cause_of(&merged).as_deref(), Some("half is enough"));
        assert_live(other);
        other.cancel_with("too late");
        assert_eq!(cause_of(&merged).as_deref(), Some("half is enough"));
    }
}

#[test]
fn waiters_of_a_merge_are_woken_by_either_parent() {
    for first in [true, false] {
        let one = Context::background().with_cancel();
        let two = Context::background().with_cancel();
        let below = one.merge(&two).with_cancel().disarm();
        let count = Count::default();
        let mut done = std::pin::pin!(below.done());
        assert!(poll_with(done.as_mut(), &count.waker()).is_pending());
        let token = below.token();
        if first {
            one.cancel()
        } else {
            two.cancel()
        };
        assert_eq!(count.get(), 1);
        assert!(token.is_cancelled());
        assert!(poll(done).is_ready());
    }
}

#[test]
fn a_merge_has_the_values_of_the_first() {
    let one = Context::background()
        .with_cancel()
        .disarm()
        .with_value::<Item>(1);
    let two = Context::background()
        .with_cancel()
        .disarm()
        .with_value::<Item>(2);
    assert_eq!(one.merge(&two).value::<Item>(), Some(&1));
    assert_eq!(two.merge(&one).value::<Item>(), Some(&2));
    assert_eq!(Context::background().merge(&two).value::<Item>(), None);
}

#[test]
fn a_child_of_a_merge_ends_alone() {
    let one = Context::background().with_cancel();
    let two = Context::background().with_cancel();
    let merged = one.merge(&two);
    let child = merged.with_cancel();
    child.cancel_with("the child's own");
    assert_live(&merged);
    one.cancel_with("the parent's");
    assert_eq!(cause_of(&child).as_deref(), Some("the child's own"));
    assert_eq!(cause_of(&merged).as_deref(), Some("the parent's"));
}

#[tokio::test(start_paused = true)]
async fn a_merge_has_the_earlier_deadline_and_says_whose_it_was() {
    let short = Context::background().with_timeout(Duration::from_secs(1));
    let long = Context::background().with_timeout(Duration::from_secs(9));
    let start = Instant::now();
    for merged in [short.merge(&long), long.merge(&short)] {
        assert_eq!(merged.deadline(), Some(start + Duration::from_secs(1)));
    }
    let merged = long.merge(&short);
    let cancelled = merged.done().await;
    assert_eq!(cancelled.after(), Some(Duration::from_secs(1)));
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_live(&long);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_second_parent_is_waited_for() {
    let plain = Context::background().with_cancel();
    let timed = Context::background().with_timeout(Duration::from_secs(1));
    let below = plain.merge(&timed).with_timeout(HOUR).with_cancel();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let _callback = below.on_cancel(move |why| {
        let _ = sender.send(why.reason());
    });
    assert_eq!(receiver.await, Ok(Reason::Deadline));
    assert_ended(&below, Reason::Deadline);
    assert_live(&plain);
}

#[test]
fn merging_with_what_never_ends_or_ends_no_earlier_adds_nothing() {
    let ctx = Context::background().with_cancel();
    let child = ctx.with_cancel();
    let lineage = |ctx: &Context| format!("{ctx:?}");
    for idle in [
        Context::background(),
        Context::todo(),
        Context::background().with_name("n"),
    ] {
        assert_eq!(lineage(&ctx.merge(&idle)), lineage(&ctx));
        assert_eq!(lineage(&idle.merge(&ctx)), lineage(&ctx));
    }
    assert_eq!(lineage(&ctx.merge(&ctx)), lineage(&ctx));
    assert_eq!(lineage(&child.merge(&ctx)), lineage(&child));
    assert_eq!(lineage(&ctx.merge(&child)), lineage(&child));
    assert!(
        !Context::background()
            .merge(&Context::background())
            .can_be_cancelled()
    );
}

#[test]
fn merging_with_an_ended_context_ends_at_birth() {
    let ended = Context::background().with_cancel();
    ended.cancel_with("before");
    let live = Context::background().with_cancel();
    for merged in [ended.merge(&live), live.merge(&ended)] {
        assert_ended(&merged, Reason::Cancelled);
        assert_eq!(cause_of(&merged).as_deref(), Some("before"));
    }
}

#[test]
fn if_both_parents_end_unseen_the_first_look_decides_for_ever() {
    let one = Context::background().with_cancel();
    let two = Context::background().with_cancel();
    let merged = one.merge(&two);
    let child = merged.with_cancel();
    two.cancel_with("two");
    one.cancel_with("one");
    let first = cause_of(&child);
    assert!(matches!(first.as_deref(), Some("one" | "two")), "{first:?}");
    for _ in 0..3 {
        assert_eq!(cause_of(&merged), first);
        assert_eq!(cause_of(&child), first);
    }
}

#[test]
fn a_merge_of_foreign_tokens_ends_with_either() {
    for first in [true, false] {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let merged = Context::from_token(&one).merge(&Context::from_token(&two));
        let count = Count::default();
        let mut done = std::pin::pin!(merged.done());
        assert!(poll_with(done.as_mut(), &count.waker()).is_pending());
        let ended = if first { &one } else { &two };
        ended.cancel();
        assert_eq!(count.get(), 1);
        assert!(poll(done).is_ready());
        assert_ended(&merged, Reason::Token);
        assert!(!(one.is_cancelled() && two.is_cancelled()));
    }
}

#[test]
fn a_merge_of_merges_ends_with_any_of_its_ancestors() {
    for which in 0..4 {
        let roots: Vec<_> = (0..4)
            .map(|_| Context::background().with_cancel())
            .collect();
        let left = roots[0].merge(&roots[1]).with_cancel();
        let right = roots[2].merge(&roots[3]).with_cancel();
        let below = left.merge(&right).with_cancel().disarm();
        let count = Count::default();
        let mut done = std::pin::pin!(below.done());
        assert!(poll_with(done.as_mut(), &count.waker()).is_pending());
        assert_live(&below);
        roots[which].cancel_with(format!("root {which}"));
        assert_eq!(count.get(), 1);
        assert!(poll(done).is_ready());
        assert_eq!(cause_of(&below), Some(format!("root {which}")));
        assert_eq!(left.is_done(), which < 2);
        assert_eq!(right.is_done(), which >= 2);
    }
}

#[test]
fn a_diamond_of_merges_is_asked_waited_for_and_dropped_without_doubling() {
    let root = Context::background().with_cancel();
    let mut ctx = root.with_cancel().disarm();
    for _ in 0..40 {
        ctx = ctx
            .with_cancel()
            .disarm()
            .merge(&ctx.with_cancel().disarm());
    }
    // A walk that doubled at each merge would take a million million steps.
    assert_live(&ctx);
    let token = ctx.token();
    root.cancel_with("the top");
    assert!(token.is_cancelled());
    assert_ended(&ctx, Reason::Cancelled);
    assert_eq!(cause_of(&ctx).as_deref(), Some("the top"));
}

#[test]
fn a_guard_below_a_merge_and_a_parent_agree_on_who_was_first() {
    let one = Context::background().with_cancel();
    let two = Context::background().with_cancel();
    let child = one.merge(&two).with_cancel();
    two.cancel_with("two");
    assert!(!child.cancel_with("child"));
    assert_eq!(cause_of(&child).as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn a_parents_deadline_that_passed_unseen_ends_the_merge() {
    let timed = Context::background().with_timeout(Duration::from_secs(1));
    let other = Context::background().with_cancel();
    let merged = other.merge(&timed);
    advance(Duration::from_secs(1)).await;
    assert_ended(&merged, Reason::Deadline);
    assert!(!merged.with_cancel().cancel());
}

#[test]
fn merging_in_a_loop_costs_no_more_than_what_is_merged() {
    const MERGES: usize = 20_000;
    let others: Vec<_> = (0..MERGES)
        .map(|_| Context::background().with_cancel())
        .collect();
    let mut all = Context::background().with_cancel().disarm();
    for other in &others {
        all = all.merge(other);
    }
    assert_live(&all);
    let woken = Count::default();
    let mut done = std::pin::pin!(all.done());
    assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
    others[MERGES / 2].cancel_with("one of many");
    assert_eq!(woken.get(), 1);
    assert_eq!(cause_of(&all).as_deref(), Some("one of many"));
}

#[tokio::test(start_paused = true)]
async fn of_two_deadlines_that_passed_unseen_a_merge_tells_the_earlier() {
    for swapped in [false, true] {
        let short = Context::background().with_timeout(Duration::from_secs(1));
        let long = Context::background().with_timeout(Duration::from_secs(2));
        let merged = if swapped {
            long.merge(&short)
        } else {
            short.merge(&long)
        };
        advance(Duration::from_secs(3)).await;
        let cancelled = merged.err().expect("it ended");
        assert_eq!(cancelled.after(), Some(Duration::from_secs(1)));
    }
}
