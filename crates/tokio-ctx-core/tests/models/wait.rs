//! Waiting: nobody sleeps through the end of a context. No model here has a second rescuer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use tokio_ctx_core::{CancellationToken, Context};

use super::harness::{Model, cancellable, err, letter, spawn, wait};

/// A waiter and one cancel.
#[test]
fn waiter_is_woken() {
    Model::of(85).explore(|_| {
        let (ctx, handle) = cancellable(&Context::background());
        let thread = spawn(move || handle.cancel_with("A"));
        assert_eq!(wait(&ctx), 'A');
        assert!(thread.join().unwrap());
    });
}

/// The first wait on a leaf makes the tokens of its path while the root is cancelled.
#[test]
fn leaf_is_woken_by_its_root() {
    Model::of(100).explore(|_| {
        let (root, handle) = cancellable(&Context::background());
        let leaf = root.with_cancel().disarm().with_cancel().disarm();
        let thread = spawn(move || handle.cancel_with("A"));
        assert_eq!(wait(&leaf), 'A');
        assert_eq!(err(&root), Some('A'));
        assert!(thread.join().unwrap());
    });
}

/// The same while the node in the middle is cancelled.
#[test]
fn leaf_is_woken_by_its_parent() {
    Model::of(200).explore(|_| {
        let root = Context::background().with_cancel().disarm();
        let (parent, handle) = cancellable(&root);
        let leaf = parent.with_cancel().disarm();
        let thread = spawn(move || handle.cancel_with("B"));
        assert_eq!(wait(&leaf), 'B');
        assert_eq!(err(&root), None);
        assert!(thread.join().unwrap());
    });
}

/// Two first waits at once, on a leaf and on its parent, and a cancel of the root.
#[test]
fn two_waiters_are_woken() {
    Model::of(4_000).large().explore(|_| {
        let (root, handle) = cancellable(&Context::background());
        let leaf = root.with_cancel().disarm();
        let canceller = spawn(move || handle.cancel_with("A"));
        let other = root.clone();
        let waiter = spawn(move || wait(&other));
        assert_eq!(wait(&leaf), 'A');
        assert_eq!(waiter.join().unwrap(), 'A');
        assert!(canceller.join().unwrap());
    });
}

/// Root and leaf are cancelled while somebody waits on the leaf.
#[test]
fn waiter_gets_what_readers_get() {
    Model::of(100).large().sees(&["A", "B"]).explore(|seen| {
        let (root, by_root) = cancellable(&Context::background());
        let (leaf, by_leaf) = cancellable(&root);
        let root_canceller = spawn(move || by_root.cancel_with("A"));
        let leaf_canceller = spawn(move || by_leaf.cancel_with("B"));
        let woken_with = wait(&leaf);
        assert!(root_canceller.join().unwrap());
        let leaf_won = leaf_canceller.join().unwrap();
        assert_eq!(woken_with, if leaf_won { 'B' } else { 'A' });
        assert_eq!(err(&leaf), Some(woken_with));
        seen.mark(if leaf_won { "B" } else { "A" });
    });
}

/// A waiter that leaves takes nobody else's wake-up with it.
#[test]
fn waiter_that_leaves_takes_nothing_along() {
    Model::of(200).sees(&["ready", "left"]).explore(|seen| {
        let (ctx, handle) = cancellable(&Context::background());
        let canceller = spawn(move || handle.cancel_with("A"));
        {
            let done = pin!(ctx.done());
            match done.poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(cancelled) => {
                    assert_eq!(letter(&cancelled), 'A');
                    seen.mark("ready");
                }
                Poll::Pending => seen.mark("left"),
            }
        }
        assert_eq!(wait(&ctx), 'A');
        assert!(canceller.join().unwrap());
    });
}

/// Dropping the guard is a cancel.
#[test]
fn dropped_guard_wakes() {
    Model::of(85).explore(|_| {
        let guard = Context::background().with_cancel();
        let ctx = Context::clone(&guard);
        let thread = spawn(move || drop(guard));
        assert_eq!(wait(&ctx), 'g');
        thread.join().unwrap();
    });
}

/// Nothing that was waited on is kept: a node that is never cancelled goes with its handles.
/// Only loom tracks what is never dropped.
#[cfg(loom)]
#[test]
fn waiting_keeps_nothing_alive() {
    Model::of(1).small().explore(|_| {
        let ctx = Context::background().with_cancel().disarm();
        let merged = ctx.merge(&Context::background().with_cancel().disarm());
        let timed = merged.with_timeout(std::time::Duration::from_millis(10));
        for ctx in [&ctx, &merged, &timed] {
            let done = pin!(ctx.done());
            let polled = done.poll(&mut TaskContext::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            ctx.on_cancel(|_| unreachable!("it is never cancelled"))
                .disarm();
        }
    });
}

/// A token that is handed out while its context is cancelled is cancelled too.
#[test]
fn token_handed_out_is_cancelled() {
    Model::of(15).small().explore(|_| {
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        let thread = spawn(move || handle.cancel_with("A"));
        let token = child.token();
        assert!(thread.join().unwrap());
        assert!(token.is_cancelled());
        assert_eq!(err(&child), Some('A'));
    });
}

/// Somebody else's token ends a context and what is below it.
#[test]
fn foreign_token_wakes() {
    Model::of(20).small().explore(|_| {
        let token = CancellationToken::new();
        let ctx = Context::from_token(&token);
        let child = ctx.with_cancel().disarm();
        let thread = spawn(move || token.cancel());
        assert_eq!(wait(&child), 'f');
        assert_eq!(err(&ctx), Some('f'));
        thread.join().unwrap();
    });
}

/// A foreign token against a cancel below it: one outcome.
#[test]
fn foreign_token_against_cancel() {
    Model::of(1_000).sees(&["f", "B"]).explore(|seen| {
        let token = CancellationToken::new();
        let (child, handle) = cancellable(&Context::from_token(&token));
        let foreign = spawn(move || token.cancel());
        let own = spawn(move || handle.cancel_with("B"));
        let first = child.is_done().then(|| err(&child));
        foreign.join().unwrap();
        let own_won = own.join().unwrap();
        let outcome = err(&child);
        assert_eq!(outcome, Some(if own_won { 'B' } else { 'f' }));
        if let Some(first) = first {
            assert_eq!(first, outcome, "done, and then another outcome");
        }
        seen.mark(if own_won { "B" } else { "f" });
    });
}
