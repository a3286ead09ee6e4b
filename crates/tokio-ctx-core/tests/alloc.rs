//! What contexts cost the allocator, and that they give all of it back.
//!
//! The counting allocator is the whole process's, hence a binary of its own.

#![cfg(not(any(loom, shuttle)))]

use std::alloc::System;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tokio::runtime::Builder;
use tokio_ctx_core::future::Done;
use tokio_ctx_core::{CancelGuard, CancellationToken, Cancelled, Context, key};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MILLION: usize = 1_000_000;
const HOUR: Duration = Duration::from_secs(3600);

key! { Item: u64 }

/// Held by each test: the counters are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allocations and bytes asked for by `work`, whose result is kept until both are counted.
///
/// The harness starts threads while we count, which can only add, so the least of several
/// counts is the true one.
fn cost<T>(mut work: impl FnMut() -> T) -> (usize, usize) {
    let mut count = || {
        let region = Region::new(ALLOCATOR);
        let kept = work();
        let Stats {
            allocations,
            bytes_allocated,
            ..
        } = region.change();
        drop(kept);
        (allocations, bytes_allocated)
    };
    count();
    (0..20).map(|_| count()).min().expect("it was counted")
}

/// Asserts that a million rounds of `work` leave nothing behind.
#[track_caller]
fn leaves_nothing(mut work: impl FnMut(usize)) {
    // What is made once and kept, such as the room in a list, is made here.
    (0..100).for_each(&mut work);
    let region = Region::new(ALLOCATOR);
    (0..MILLION).for_each(work);
    let change = region.change();
    let left = change.allocations.saturating_sub(change.deallocations);
    assert!(change.allocations > MILLION, "{change:?}");
    // The harness may start a test, and with it a thread; a leak would leave a million.
    assert!(left < 1000, "{left} allocations are left: {change:?}");
}

fn poll_once(ctx: &Context) {
    let polled = pin!(ctx.done()).poll(&mut TaskContext::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

#[test]
fn deriving_costs_one_allocation_of_at_most_104_bytes() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_timeout(HOUR).with_cancel();
    let is_one = |(count, bytes)| {
        assert_eq!(count, 1);
        assert!(bytes <= 104, "{bytes} bytes");
    };
    is_one(cost(|| parent.with_cancel()));
    is_one(cost(|| parent.with_timeout(Duration::from_secs(60))));
    is_one(cost(|| Context::background().with_cancel()));
    is_one(cost(|| Context::background().with_timeout(HOUR)));
}

#[test]
fn a_value_costs_one_allocation() {
    let _turn = one_at_a_time();
    let ctx = Context::background().with_value::<Item>(1);
    assert_eq!(cost(|| ctx.with_value::<Item>(2)).0, 1);
    assert_eq!(cost(|| Context::background().with_value::<Item>(2)).0, 1);
}

#[test]
fn roots_clones_questions_and_look_ups_cost_nothing() {
    let _turn = one_at_a_time();
    let guard = Context::background()
        .with_value::<Item>(1)
        .with_timeout(HOUR)
        .with_cancel();
    assert_eq!(cost(Context::background), (0, 0));
    assert_eq!(cost(|| Context::clone(&guard)), (0, 0));
    assert_eq!(cost(|| guard.with_timeout(2 * HOUR)), (0, 0));
    assert_eq!(cost(|| guard.handle()), (0, 0));
    assert_eq!(cost(|| guard.without_cancel()), (0, 0));
    assert_eq!(cost(|| guard.detach_onto(&guard)), (0, 0));
    assert_eq!(
        cost(|| (guard.is_done(), guard.err(), guard.deadline())),
        (0, 0)
    );
    assert_eq!(cost(|| guard.value::<Item>().copied()), (0, 0));
    assert_eq!(cost(|| (guard.done(), guard.done_owned())), (0, 0));
}

#[test]
fn a_plain_cancel_costs_nothing_and_a_clone_of_its_error_neither() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_cancel();
    let derived = || {
        let guard = parent.with_cancel();
        assert!(guard.cancel());
        (guard.err(), guard)
    };
    // One for the derived context itself.
    assert_eq!(cost(derived).0, 1);
    let chain = || {
        let guard = parent.with_cancel();
        let leaf = guard.with_cancel();
        drop(guard);
        leaf.disarm()
    };
    assert_eq!(cost(chain).0, 2);
}

#[test]
fn only_the_first_wait_on_a_context_costs_anything() {
    let _turn = one_at_a_time();
    let ctx = Context::background().with_timeout(HOUR).with_cancel();
    poll_once(&ctx);
    assert_eq!(cost(|| poll_once(&ctx)), (0, 0));
}

#[test]
fn derive_cancel_and_wait_cost_one_allocation_and_a_first_wait_few() {
    let _turn = one_at_a_time();
    let ended = || {
        let guard = Context::background().with_cancel();
        guard.cancel();
        let polled = pin!(guard.done()).poll(&mut TaskContext::from_waker(Waker::noop()));
        assert!(polled.is_ready());
        guard
    };
    assert_eq!(cost(ended).0, 1);
    let timed = || {
        let guard = Context::background().with_timeout(HOUR).with_cancel();
        guard.cancel();
        (guard.err(), guard)
    };
    assert_eq!(cost(timed).0, 2);
    let waited = || {
        let guard = Context::background().with_cancel();
        poll_once(&guard);
        guard.cancel();
        guard
    };
    // The node, its token, and the path from the root to it.
    assert!(cost(waited).0 <= 4, "{:?}", cost(waited));
}

#[test]
fn a_deadline_that_is_waited_for_and_fires_costs_at_most_what_gos_does() {
    let _turn = one_at_a_time();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    let fired = || {
        runtime.block_on(async {
            let ctx = Context::background().with_timeout(Duration::from_millis(1));
            assert!(ctx.done().await.is_timeout());
            ctx
        })
    };
    let (count, _) = cost(fired);
    assert!(count <= 12, "{count} allocations");
}

#[test]
fn a_million_children_leave_nothing_at_their_parent() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_cancel();
    poll_once(&parent);
    leaves_nothing(|round| {
        let child = parent.with_timeout(HOUR).with_cancel();
        if round % 4 == 0 {
            poll_once(&child);
        }
        if round % 2 == 0 {
            drop(child.disarm());
        }
    });
}

#[test]
fn a_million_merges_leave_nothing_at_either_parent() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_cancel();
    let other = Context::background().with_timeout(HOUR).with_cancel();
    poll_once(&parent);
    poll_once(&other);
    leaves_nothing(|round| {
        let merged = parent.merge(&other);
        match round % 8 {
            0 => poll_once(&merged),
            1 => merged.on_cancel(|_| ()).disarm(),
            2 => drop(merged.token()),
            _ => assert!(!merged.is_done()),
        }
    });
    parent.cancel();
    other.cancel();
}

#[test]
fn a_million_registrations_leave_nothing_at_their_context() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_cancel();
    leaves_nothing(|round| {
        let registration = parent.on_cancel(move |_| assert_ne!(round, usize::MAX));
        if round % 2 == 0 {
            assert!(registration.stop());
        }
    });
    // With another one that stays, so that the place is never given up.
    let _stays = parent.on_cancel(|_| ());
    leaves_nothing(|round| drop(parent.on_cancel(move |_| assert_ne!(round, usize::MAX))));
    assert!(parent.cancel());
}

#[test]
fn a_million_tokens_leave_nothing_at_their_context_or_token() {
    let _turn = one_at_a_time();
    let ctx = Context::background().with_cancel();
    let foreign = CancellationToken::new();
    leaves_nothing(|round| {
        if round % 2 == 0 {
            drop(ctx.token());
        } else {
            poll_once(&Context::from_token(&foreign).with_cancel());
        }
    });
}

#[test]
fn a_million_cancels_leave_nothing() {
    let _turn = one_at_a_time();
    let parent = Context::background().with_name("parent").with_cancel();
    leaves_nothing(|round| {
        let child = parent.with_cancel();
        if round % 4 == 0 {
            poll_once(&child);
            child.on_cancel(|_| ()).disarm();
        }
        let cancel: fn(&CancelGuard) -> bool = match round % 2 {
            0 => |child| child.cancel(),
            _ => |child| child.cancel_with("a cause"),
        };
        assert!(cancel(&child));
        assert!(!cancel(&child));
    });
}

#[test]
fn handles_and_futures_are_small() {
    // A lifetime is one word; values are two, for they are of many types.
    assert_eq!(size_of::<Context>(), 24);
    assert_eq!(size_of::<CancelGuard>(), 32);
    assert_eq!(size_of::<Cancelled>(), 16);
    assert_eq!(size_of::<Option<Cancelled>>(), 16);
    // What a token's own future takes, and the node and the answer given beside it.
    let token = size_of_val(&CancellationToken::new().cancelled());
    assert!(size_of::<Done<'_>>() <= token + 24);
}
