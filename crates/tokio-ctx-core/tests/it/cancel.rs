//! Ending contexts by hand.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_ctx_core::{Budget, Context, Reason, key};

use crate::support::{HOUR, assert_ended, assert_live, cause_of, reason_of};

key! { Item: u32 }

#[test]
fn background_never_ends() {
    let root = Context::background();
    assert_live(&root);
    assert!(!root.can_be_cancelled());
    assert_eq!(root.deadline(), None);
    assert_eq!(root.remaining(), None);
    assert_live(&Context::default());
}

#[test]
fn todo_never_ends() {
    let root = Context::todo();
    assert_live(&root);
    assert!(!root.can_be_cancelled());
    assert!(!root.with_value::<Item>(1).can_be_cancelled());
    assert!(root.with_cancel().can_be_cancelled());
    assert!(root.with_timeout(HOUR).can_be_cancelled());
}

#[test]
fn a_name_alone_ends_nothing() {
    let named = Context::background().with_name("nobody");
    assert_live(&named);
    assert!(!named.can_be_cancelled());
    let parent = Context::background().with_cancel();
    assert!(parent.with_name("somebody").can_be_cancelled());
}

#[test]
fn a_fresh_context_is_live() {
    let ctx = Context::background().with_cancel();
    assert_live(&ctx);
    assert!(ctx.can_be_cancelled());
}

#[test]
fn when_cancel_returns_everything_says_so() {
    let ctx = Context::background().with_cancel();
    let token = ctx.token();
    assert!(ctx.cancel());
    assert_ended(&ctx, Reason::Cancelled);
    assert!(token.is_cancelled());
}

#[test]
fn a_value_on_a_context_shares_its_end() {
    let ctx = Context::background().with_cancel();
    let valued = ctx.with_value::<Item>(1);
    assert_live(&valued);
    ctx.cancel_with("both");
    assert_ended(&valued, Reason::Cancelled);
    assert_eq!(cause_of(&valued).as_deref(), Some("both"));
}

#[test]
fn a_child_below_a_value_ends_in_the_same_call() {
    let parent = Context::background().with_cancel();
    let child = parent.with_value::<Item>(1).with_cancel();
    parent.cancel();
    assert_ended(&child, Reason::Cancelled);
}

#[test]
fn cancelling_the_parent_ends_every_kind_of_descendant() {
    let parent = Context::background().with_timeout(HOUR).with_cancel();
    let other = Context::background().with_cancel();
    let guarded = parent.with_cancel();
    let descendants = [
        Context::clone(&guarded),
        parent.with_value::<Item>(1),
        parent
            .with_value::<Item>(1)
            .with_timeout(Duration::from_secs(60)),
        parent.with_name("named"),
        parent
            .with_budget(Budget::fraction(0.5))
            .expect("an hour is enough"),
        parent.merge(&other),
        other.merge(&parent),
        other.detach_onto(&parent),
        guarded.with_cancel().disarm(),
        parent.without_value::<Item>(),
    ];
    descendants.iter().for_each(assert_live);
    parent.cancel_with("everything stops");
    for ctx in &descendants {
        assert_ended(ctx, Reason::Cancelled);
        assert_eq!(cause_of(ctx).as_deref(), Some("everything stops"));
    }
    assert_live(&other);
}

#[test]
fn a_value_on_an_ended_context_is_ended() {
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    let valued = ctx.with_value::<Item>(1);
    assert_ended(&valued, Reason::Cancelled);
    assert_eq!(valued.value::<Item>(), Some(&1));
}

#[test]
fn a_child_that_ends_leaves_its_parent_live() {
    for parent in [
        Context::background(),
        Context::background().with_cancel().disarm(),
    ] {
        let child = parent.with_cancel();
        let sibling = parent.with_cancel();
        child.cancel();
        assert_ended(&child, Reason::Cancelled);
        assert_live(&parent);
        assert_live(&sibling);
    }
}

#[test]
fn a_child_of_an_ended_parent_is_born_ended_with_its_cause() {
    let parent = Context::background().with_cancel();
    parent.cancel_with("closed");
    for child in [
        parent.with_cancel().disarm(),
        parent.with_timeout(HOUR),
        parent.with_name("late"),
        parent.merge(&Context::background().with_cancel()),
        Context::background().with_cancel().merge(&parent),
    ] {
        assert_ended(&child, Reason::Cancelled);
        assert_eq!(cause_of(&child).as_deref(), Some("closed"));
    }
}

#[test]
fn the_second_cancel_is_told_that_it_lost() {
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    assert!(handle.cancel_with("first"));
    assert!(!handle.cancel_with("second"));
    assert!(!ctx.cancel());
    assert_eq!(cause_of(&ctx).as_deref(), Some("first"));
    drop(handle);
    let child = ctx.with_cancel();
    assert!(!child.cancel_with("below an ended parent"));
    assert_eq!(cause_of(&child).as_deref(), Some("first"));
}

#[test]
fn cancel_works_from_a_thread_without_a_runtime() {
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    assert!(
        std::thread::spawn(move || handle.cancel())
            .join()
            .expect("no panic")
    );
    assert_ended(&ctx, Reason::Cancelled);
}

#[test]
fn dropping_the_guard_ends_the_context_and_names_the_line_that_made_it() {
    let line = line!() + 1;
    let guard = Context::background().with_cancel();
    let ctx = Context::clone(&guard);
    assert_live(&ctx);
    drop(guard);
    assert_ended(&ctx, Reason::GuardDropped);
    let cancelled = ctx.err().expect("it ended");
    assert_eq!(
        (cancelled.location().file(), cancelled.location().line()),
        (file!(), line)
    );
}

#[test]
fn dropping_the_guard_wakes_those_who_wait() {
    let guard = Context::background().with_cancel();
    let count = crate::support::Count::default();
    let mut done = std::pin::pin!(guard.done_owned());
    assert!(crate::support::poll_with(done.as_mut(), &count.waker()).is_pending());
    drop(guard);
    assert_eq!(count.get(), 1);
    assert!(crate::support::poll(done).is_ready());
}

#[test]
fn a_guard_that_was_a_temporary_explains_itself() {
    let parent = Context::background().with_cancel();
    let line = line!() + 1;
    let ctx = parent.with_cancel().with_timeout(HOUR);
    let cancelled = ctx.err().expect("the guard was a temporary");
    assert_eq!(cancelled.reason(), Reason::GuardDropped);
    assert_eq!(cancelled.location().line(), line);
    assert!(
        cancelled.to_string().contains("keep the guard made at"),
        "{cancelled}"
    );
    assert_live(&parent);
}

#[test]
fn an_explicit_cancel_is_not_overwritten_when_the_guard_drops() {
    let guard = Context::background().with_cancel();
    let ctx = Context::clone(&guard);
    guard.cancel_with("on purpose");
    drop(guard);
    assert_ended(&ctx, Reason::Cancelled);
}

#[test]
fn keep_gives_up_the_guard_and_nothing_else() {
    let parent = Context::background().with_cancel();
    let guard = parent.with_cancel();
    let handle = guard.handle();
    let ctx = guard.disarm();
    assert_live(&ctx);
    assert!(handle.cancel());
    assert_ended(&ctx, Reason::Cancelled);

    let other = parent.with_cancel().disarm();
    parent.cancel();
    assert_ended(&other, Reason::Cancelled);
}

#[test]
fn a_handle_ends_nothing_when_it_is_dropped() {
    let ctx = Context::background().with_cancel();
    drop(ctx.handle());
    let handle = ctx.handle();
    drop(handle.clone());
    drop(handle);
    assert_live(&ctx);
}

#[test]
fn map_builds_on_a_context_and_keeps_its_guard() {
    let guard = Context::background().with_cancel();
    let before = Context::clone(&guard);
    let guard = guard
        .map(|ctx| ctx.with_value::<Item>(7).with_timeout(HOUR))
        .map(|ctx| {
            let built = ctx.with_name("mapped twice");
            assert_eq!(built.value::<Item>(), Some(&7));
            built
        });
    let after = Context::clone(&guard);
    assert_live(&after);
    assert!(guard.deadline().is_some());
    drop(guard);
    // The guard went on guarding what it guarded before, so what it began with ended too.
    assert_ended(&before, Reason::GuardDropped);
    assert_ended(&after, Reason::GuardDropped);
}

#[test]
fn map_onto_another_lifetime_still_guards_the_first() {
    let guard = Context::background().with_cancel();
    let first = Context::clone(&guard);
    let guard = guard.map(Context::without_cancel);
    assert_live(&guard);
    assert!(guard.cancel());
    assert_live(&guard);
    assert_ended(&first, Reason::Cancelled);
}

#[test]
fn a_mapped_guard_that_is_kept_ends_nothing() {
    let guard = Context::background()
        .with_cancel()
        .map(|ctx| ctx.with_timeout(HOUR));
    let handle = guard.handle();
    let ctx = guard.disarm();
    assert_live(&ctx);
    assert!(handle.cancel());
    assert_ended(&ctx, Reason::Cancelled);
}

#[test]
fn a_batch_derives_a_thousand_siblings_from_one_guard() {
    let batch = Context::background().with_cancel();
    let siblings: Vec<_> = (0..1000).map(|_| batch.with_cancel()).collect();
    siblings[500].cancel();
    assert_eq!(siblings.iter().filter(|ctx| ctx.is_done()).count(), 1);
    batch.cancel();
    assert_eq!(siblings.iter().filter(|ctx| ctx.is_done()).count(), 1000);
}

#[test]
fn a_descendant_keeps_the_chain_to_its_ancestors() {
    let root = Context::background().with_cancel();
    let handle = root.handle();
    let middle = root.disarm().with_cancel().disarm();
    let leaf = middle.with_cancel().disarm();
    drop(middle);
    assert_live(&leaf);
    handle.cancel_with("from far above");
    assert_eq!(cause_of(&leaf).as_deref(), Some("from far above"));
}

#[tokio::test]
async fn a_generator_that_waits_to_send_exits_when_its_context_ends() {
    let ctx = Context::background().with_cancel();
    let (sender, mut numbers) = mpsc::channel(1);
    let generator = tokio::spawn({
        let ctx = Context::clone(&ctx);
        async move {
            for number in 0_u64.. {
                tokio::select! {
                    biased;
                    cancelled = ctx.done() => return cancelled.reason(),
                    sent = sender.send(number) => sent.expect("somebody receives"),
                }
            }
            unreachable!("there are enough numbers")
        }
    });
    while let Some(number) = numbers.recv().await {
        if number == 5 {
            break;
        }
    }
    ctx.cancel();
    assert_eq!(generator.await.expect("no panic"), Reason::Cancelled);
}

#[test]
fn cancel_ends_what_is_below_and_does_not_wait_for_the_work() {
    let ctx = Context::background().with_cancel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let worker = std::thread::spawn({
        let ctx = Context::clone(&ctx);
        move || {
            wait.recv().expect("told to go on");
            reason_of(&ctx)
        }
    });
    // The worker is busy until it is told otherwise, which happens after `cancel` returned.
    assert!(ctx.cancel());
    go.send(()).expect("the worker listens");
    assert_eq!(worker.join().expect("no panic"), Reason::Cancelled);
}
