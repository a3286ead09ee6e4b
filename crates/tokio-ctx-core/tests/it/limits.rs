//! Sizes: what works for ten works for a million.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use tokio_ctx_core::{Context, Reason, key};

use crate::support::{Count, HOUR, assert_ended, assert_live, poll, poll_with};

const MILLION: usize = 1_000_000;

/// Held by each test, so that no two of them want their hundreds of megabytes at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stack on which nothing could run that recurses along a chain.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let _turn = one_at_a_time();
    let thread = std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(test)
        .expect("a thread");
    assert!(thread.join().is_ok());
}

fn chain(root: &Context, length: usize) -> Context {
    let mut leaf = root.clone();
    for _ in 0..length {
        leaf = leaf.with_cancel().disarm();
    }
    leaf
}

#[test]
fn a_chain_of_a_million_is_derived_asked_and_dropped() {
    on_a_small_stack(|| {
        let root = Context::background().with_cancel();
        let leaf = chain(&root, MILLION);
        assert!(!leaf.is_done());
        assert!(leaf.err().is_none());
        drop(leaf);
        assert_live(&root);
    });
}

#[test]
fn a_chain_of_a_million_is_waited_for_cancelled_and_dropped() {
    on_a_small_stack(|| {
        let root = Context::background().with_cancel();
        let leaf = chain(&root, MILLION);
        let (woken, ran) = (Count::default(), Count::default());
        let counted = ran.clone();
        leaf.on_cancel(move |_| counted.add()).disarm();
        let mut done = Box::pin(leaf.done());
        assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
        root.cancel();
        assert_eq!((woken.get(), ran.get()), (1, 1));
        assert!(poll(done.as_mut()).is_ready());
        assert_ended(&leaf, Reason::Cancelled);
        drop(done);
        drop(leaf);
    });
}

#[test]
fn a_chain_of_a_million_that_waits_is_dropped_without_an_end() {
    on_a_small_stack(|| {
        let root = Context::background().with_cancel();
        let leaf = chain(&root, MILLION);
        assert!(poll(std::pin::pin!(leaf.done())).is_pending());
        drop(leaf);
        root.cancel();
    });
}

#[test]
fn a_cancelled_chain_of_a_million_is_asked_once_dearly_and_then_cheaply() {
    on_a_small_stack(|| {
        let root = Context::background().with_cancel();
        let leaf = chain(&root, MILLION);
        root.cancel();
        // Without the hints that the first question leaves, this would be 10¹¹ steps.
        for _ in 0..100_000 {
            assert!(leaf.is_done());
        }
        assert_ended(&leaf, Reason::Cancelled);
        drop(root);
        drop(leaf);
    });
}

#[test]
fn a_chain_of_a_million_is_printed_in_a_line() {
    on_a_small_stack(|| {
        let leaf = chain(&Context::background(), MILLION);
        let text = format!("{leaf:?}");
        assert!(text.len() < 2000 && text.contains('…'), "{}", text.len());
    });
}

#[test]
fn a_chain_of_a_million_values_is_bound_read_detached_and_dropped() {
    key! {
        Deepest: u32;
        Step: usize;
        OfTheRequest: u32, request_only;
        Absent: u32;
    }
    on_a_small_stack(|| {
        let mut ctx = Context::background()
            .with_value::<Deepest>(7)
            .with_value::<OfTheRequest>(8);
        for step in 0..MILLION {
            ctx = ctx.with_value::<Step>(step);
        }
        assert_eq!(ctx.value::<Deepest>(), Some(&7));
        assert_eq!(ctx.value::<Step>(), Some(&(MILLION - 1)));
        assert_eq!(ctx.value::<Absent>(), None);
        assert!(format!("{ctx:?}").ends_with("value(Step)"));
        let detached = ctx.without_cancel();
        assert_eq!(detached.value::<OfTheRequest>(), None);
        assert_eq!(detached.value::<Deepest>(), Some(&7));
        drop(ctx);
        assert_eq!(detached.value::<Step>(), Some(&(MILLION - 1)));
        drop(detached);
    });
}

#[test]
fn a_long_chain_of_merges_is_asked_and_dropped_without_recursion() {
    on_a_small_stack(|| {
        let root = Context::background().with_cancel();
        let mut ctx = root.with_cancel().disarm();
        for _ in 0..600 {
            // Merged with something of its own, and a chain between: links of both kinds.
            let other = chain(&Context::background(), 10);
            ctx = chain(&ctx.merge(&other), 10);
        }
        assert!(!ctx.is_done());
        root.cancel();
        assert_ended(&ctx, Reason::Cancelled);
        drop(ctx);
    });
}

#[test]
fn a_million_children_are_cancelled_while_another_thread_only_asks() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_cancel();
    let woken = Count::default();
    let waker = woken.waker();
    // Each child is waited for, so the cancel has to reach each of them.
    let waiters: Vec<_> = (0..MILLION)
        .map(|_| {
            let mut done = Box::pin(parent.with_cancel().disarm().done_owned());
            assert!(poll_with(done.as_mut(), &waker).is_pending());
            done
        })
        .collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let start = Arc::new(Barrier::new(2));
    let asker = std::thread::spawn({
        let contexts = [
            Context::clone(&parent),
            parent.with_cancel().disarm(),
            parent.with_timeout(HOUR),
        ];
        let (asked, stop, start) = (Arc::clone(&asked), Arc::clone(&stop), Arc::clone(&start));
        move || {
            start.wait();
            while !stop.load(Ordering::Relaxed) {
                for ctx in &contexts {
                    let _ = ctx.is_done();
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
            contexts.iter().all(Context::is_done)
        }
    });
    start.wait();
    let before = asked.load(Ordering::Relaxed);
    parent.cancel();
    let during = asked.load(Ordering::Relaxed) - before;
    stop.store(true, Ordering::Relaxed);
    assert!(asker.join().expect("no panic"));
    assert_eq!(woken.get(), MILLION);
    // An asker that waited for the cancel would have been answered three times at most.
    assert!(
        during > 100,
        "answered {during} times while the cancel went down"
    );
    drop(waiters);
}
