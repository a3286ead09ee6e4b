//! Cancelling: one outcome per context, and one tree for everybody.

use std::sync::Arc;

use tokio_ctx_core::Context;

use super::harness::checker::sync::atomic::{AtomicBool, Ordering};
use super::harness::{Model, cancellable, err, spawn, wait};
use super::history::{Call, Chain, Thread};

const PARENT: usize = 0;
const CHILD: usize = 1;
const GRANDCHILD: usize = 2;

/// Of two cancels of one context one wins, and everybody reports its cause.
#[test]
fn two_cancels_have_one_winner() {
    Model::of(25).small().sees(&["A", "B"]).explore(|seen| {
        let (ctx, handle) = cancellable(&Context::background());
        let other = handle.clone();
        let thread = spawn(move || other.cancel_with("A"));
        let b_won = handle.cancel_with("B");
        // Whoever lost has seen the winner's outcome.
        let winner = err(&ctx);
        let a_won = thread.join().unwrap();
        assert!(a_won != b_won);
        assert_eq!(winner, Some(if a_won { 'A' } else { 'B' }));
        assert_eq!(err(&ctx), winner);
        seen.mark(if a_won { "A" } else { "B" });
    });
}

/// Runs `threads` beside `main` on a chain of three, and looks for a linearization.
fn check(chain: Chain, threads: Vec<Vec<Call>>, main: &[Call]) -> Arc<Chain> {
    let chain = Arc::new(chain);
    let spawned: Vec<_> = threads
        .into_iter()
        .map(|calls| {
            let chain = Arc::clone(&chain);
            spawn(move || chain.call(&calls))
        })
        .collect();
    let mut history: Vec<Thread> = vec![chain.call(main)];
    history.extend(spawned.into_iter().map(|thread| thread.join().unwrap()));
    let last = chain.call(&[Call::Err(GRANDCHILD), Call::Err(CHILD), Call::Err(PARENT)]);
    chain.assert_linearizable(&history, &last);
    chain
}

fn parent_and_child() -> Vec<Vec<Call>> {
    vec![
        vec![Call::Cancel(PARENT, 'A')],
        vec![Call::Cancel(CHILD, 'B')],
    ]
}

/// Parent and child, two causes: either A everywhere, or B from the child downwards.
#[test]
fn parent_and_child_have_one_outcome_each() {
    Model::of(3_000).sees(&["A", "B"]).explore(|seen| {
        let reader = [Call::Err(CHILD), Call::Err(CHILD)];
        let chain = check(Chain::new(3), parent_and_child(), &reader);
        match chain.err(CHILD) {
            Some('A') => seen.mark("A"),
            Some('B') => seen.mark("B"),
            other => panic!("the child says {other:?}"),
        }
    });
}

/// What the grandchild was seen to have, the child cannot contradict later.
#[test]
fn grandchild_and_child_agree() {
    Model::of(3_000).explore(|_| {
        let reader = [Call::Err(GRANDCHILD), Call::Err(CHILD)];
        check(Chain::new(3), parent_and_child(), &reader);
    });
}

/// Nor the other way round: once the child is live or has B, the grandchild never had A.
#[test]
fn child_and_grandchild_agree() {
    Model::of(5_000).explore(|_| {
        let reader = [
            Call::Err(CHILD),
            Call::Done(GRANDCHILD),
            Call::Err(GRANDCHILD),
        ];
        check(Chain::new(3), parent_and_child(), &reader);
    });
}

/// The same in real time: a call that returned is before one that begins later.
#[test]
fn readers_agree_in_real_time() {
    Model::of(4_000).explore(|_| {
        let reader = [Call::Err(GRANDCHILD), Call::Err(CHILD)];
        check(Chain::new(3).stamped(), parent_and_child(), &reader);
    });
}

/// Two readers, each of whom may resolve what it finds.
#[test]
fn two_readers_agree() {
    Model::of(3_000).large().explore(|_| {
        let mut threads = parent_and_child();
        threads.push(vec![Call::Err(GRANDCHILD)]);
        check(Chain::new(3), threads, &[Call::Err(CHILD)]);
    });
}

/// A child that is made while its parent is cancelled ends with it.
#[test]
fn child_made_during_cancel_ends() {
    Model::of(10)
        .small()
        .sees(&["in time", "late"])
        .explore(|seen| {
            let (parent, handle) = cancellable(&Context::background());
            let thread = spawn(move || handle.cancel_with("A"));
            let is_over = parent.is_done();
            let child = parent.with_cancel();
            let cancelled_in_time = child.cancel_with("B");
            assert!(!(is_over && cancelled_in_time));
            assert!(thread.join().unwrap());
            let expected = if cancelled_in_time { 'B' } else { 'A' };
            assert_eq!(err(&child), Some(expected));
            assert_eq!(err(&parent), Some('A'));
            seen.mark(if cancelled_in_time { "in time" } else { "late" });
        });
}

/// Whoever waits on such a child is woken.
#[test]
fn child_made_during_cancel_wakes() {
    Model::of(100).explore(|_| {
        let (parent, handle) = cancellable(&Context::background());
        let thread = spawn(move || handle.cancel_with("A"));
        let child = parent.with_cancel();
        assert_eq!(wait(&child), 'A');
        assert!(thread.join().unwrap());
    });
}

/// What was written before a cancel can be read by whoever saw the cancel.
#[test]
fn cancel_publishes_what_came_before() {
    Model::of(8)
        .small()
        .sees(&["live", "ended"])
        .explore(|seen| {
            let data = Arc::new(AtomicBool::new(false));
            let (parent, handle) = cancellable(&Context::background());
            let child = parent.with_cancel().disarm();
            let written = Arc::clone(&data);
            let thread = spawn(move || {
                written.store(true, Ordering::Relaxed);
                handle.cancel_with("A");
            });
            if child.is_done() {
                assert!(data.load(Ordering::Relaxed), "seen before it was written");
                assert_eq!(err(&child), Some('A'));
                seen.mark("ended");
            } else {
                seen.mark("live");
            }
            thread.join().unwrap();
        });
}

/// Also by whoever saw only the hint that another reader left.
#[test]
fn hints_publish_what_came_before() {
    Model::of(200).sees(&["live", "ended"]).explore(|seen| {
        let data = Arc::new(AtomicBool::new(false));
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        let written = Arc::clone(&data);
        let canceller = spawn(move || {
            written.store(true, Ordering::Relaxed);
            handle.cancel_with("A");
        });
        let hinting = child.clone();
        let reader = spawn(move || hinting.is_done());
        if child.is_done() {
            assert!(data.load(Ordering::Relaxed), "seen before it was written");
            seen.mark("ended");
        } else {
            seen.mark("live");
        }
        canceller.join().unwrap();
        reader.join().unwrap();
    });
}
