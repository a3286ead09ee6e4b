//! Contexts and bare tokens: one from the other, both ways.

use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{CancellationToken, Context, Reason, key};

use crate::support::{
    Count, HOUR, assert_ended, assert_live, cause_of, poll, poll_with, reason_of,
};

key! { Item: u32 }

#[test]
fn a_context_from_a_token_ends_with_it() {
    let token = CancellationToken::new();
    let ctx = Context::from_token(&token);
    let child = ctx.with_value::<Item>(1).with_cancel();
    assert_live(&ctx);
    assert_live(&child);
    token.cancel();
    assert_ended(&ctx, Reason::Token);
    assert_ended(&child, Reason::Token);
    assert_eq!(cause_of(&child), None);
}

#[test]
fn the_line_that_adopted_the_token_is_reported() {
    let token = CancellationToken::new();
    let line = line!() + 1;
    let ctx = Context::from_token(&token).with_cancel();
    token.cancel();
    assert_eq!(ctx.err().expect("it ended").location().line(), line);
}

#[test]
fn a_cancelled_token_gives_an_ended_context() {
    let token = CancellationToken::new();
    token.cancel();
    let ctx = Context::from_token(&token);
    assert_ended(&ctx, Reason::Token);
    assert_ended(&ctx.with_timeout(HOUR), Reason::Token);
}

#[test]
fn cancelling_below_a_foreign_token_leaves_it_alone() {
    let token = CancellationToken::new();
    let ctx = Context::from_token(&token);
    let child = ctx.with_cancel();
    child.cancel_with("the child's own");
    assert_live(&ctx);
    assert!(!token.is_cancelled());
    token.cancel();
    assert_eq!(cause_of(&child).as_deref(), Some("the child's own"));
    assert_eq!(reason_of(&child), Reason::Cancelled);
    assert_eq!(reason_of(&ctx), Reason::Token);
    assert_eq!(cause_of(&ctx), None);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_token_drives_everything_below_it() {
    let token = CancellationToken::new();
    let ctx = Context::from_token(&token);
    let child = ctx.with_cancel();
    let timed = child.with_timeout(Duration::from_secs(1));
    let (woken, ran) = (Count::default(), Count::default());
    let mut done = std::pin::pin!(timed.done());
    assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
    let counted = ran.clone();
    let _callback = timed.on_cancel(move |_| counted.add());
    let given = timed.token();
    token.cancel();
    assert_eq!((woken.get(), ran.get()), (1, 1));
    assert!(given.is_cancelled());
    assert_eq!(
        poll(done).map(|cancelled| cancelled.reason()),
        std::task::Poll::Ready(Reason::Token)
    );
    advance(HOUR).await;
    assert_ended(&timed, Reason::Token);
}

#[test]
fn dropping_the_foreign_token_ends_nothing() {
    let token = CancellationToken::new();
    let ctx = Context::from_token(&token);
    drop(token);
    assert_live(&ctx);
}

#[test]
fn a_token_of_a_context_is_cancelled_with_it() {
    let ctx = Context::background().with_cancel();
    let before = ctx.token();
    let child_token = ctx.with_cancel().disarm().token();
    assert!(!before.is_cancelled());
    ctx.cancel();
    assert!(before.is_cancelled() && child_token.is_cancelled());
    assert!(ctx.token().is_cancelled());
}

#[test]
fn cancelling_a_token_of_a_context_cancels_nothing_of_ours() {
    let ctx = Context::background().with_cancel();
    let (token, other) = (ctx.token(), ctx.token());
    let child = ctx.with_cancel();
    token.cancel();
    assert_live(&ctx);
    assert_live(&child);
    assert!(!other.is_cancelled());
    assert!(!ctx.token().is_cancelled());
}

#[test]
fn a_token_of_a_context_that_never_ends_is_never_cancelled() {
    for root in [Context::background(), Context::todo()] {
        let (token, other) = (root.token(), root.token());
        assert!(!token.is_cancelled());
        token.cancel();
        assert!(!other.is_cancelled());
    }
}

#[test]
fn a_token_outlives_its_context_and_is_not_cancelled_by_its_drop() {
    let root = Context::background().with_cancel();
    let token = root.with_timeout(HOUR).token();
    assert!(!token.is_cancelled());
    root.cancel();
    assert!(token.is_cancelled(), "it hangs below the root's own");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_deadline_is_cancelled_by_it_though_nobody_asks() {
    let ctx = Context::background().with_timeout(Duration::from_secs(1));
    let token = ctx.token();
    let waiter = tokio::spawn(async move { token.cancelled().await });
    waiter.await.expect("the deadline wakes it");
    assert_ended(&ctx, Reason::Deadline);
}

#[test]
fn a_context_round_trip_through_a_token_loses_the_cause_and_says_so() {
    let ours = Context::background().with_cancel();
    let theirs = Context::from_token(&ours.token());
    ours.cancel_with("known here");
    assert_ended(&theirs, Reason::Token);
    assert_eq!(cause_of(&theirs), None);
}
