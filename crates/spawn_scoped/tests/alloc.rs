//! What a scoped task costs the allocator beyond a task of tokio's.
//!
//! The counting allocator is the whole process's, hence a binary of its own.

#![cfg(not(any(loom, shuttle)))]

use std::alloc::System;
use std::future::Future;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

use spawn_scoped::scope;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tokio_ctx_core::{Cancelled, Context};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by each test: the counters are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The least of several counts of allocations and bytes: the harness starts threads while we
/// count, which can only add. The first count is not used, as the runtime's queue grows once.
fn cost(work: impl Fn()) -> (usize, usize) {
    let count = || {
        let region = Region::new(ALLOCATOR);
        work();
        let change = region.change();
        (change.allocations, change.bytes_allocated)
    };
    count();
    (0..5).map(|_| count()).min().expect("it was counted")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The same task for both sides: it holds its context and some words.
fn work<const WORDS: usize>(
    ctx: Context,
) -> impl Future<Output = Result<(), Cancelled>> + Send + 'static {
    let words = [1_u64; WORDS];
    async move {
        black_box((&ctx, &words));
        Ok(())
    }
}

async fn bare<const WORDS: usize>(count: usize) {
    let ctx = Context::background().with_cancel();
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(tokio::spawn(work::<WORDS>(Context::clone(&ctx))));
    }
    for handle in handles {
        assert!(handle.await.is_ok_and(|result| result.is_ok()));
    }
}

async fn scoped<const WORDS: usize>(count: usize) {
    let result: Result<(), Cancelled> = scope(&Context::background(), async |s| {
        for _ in 0..count {
            drop(s.spawn(work::<WORDS>));
        }
        Ok(())
    })
    .await;
    assert!(result.is_ok());
}

#[test]
fn a_task_allocates_no_more_often_than_tokios_own() {
    let _turn = one_at_a_time();
    let runtime = runtime();
    let (bare, _) = cost(|| runtime.block_on(bare::<0>(1000)));
    let (scoped, _) = cost(|| runtime.block_on(scoped::<0>(1000)));
    // Those of the scope itself: its state, its lifetime, and the list of its tasks as it
    // grows.
    assert!(scoped <= bare + 16, "{scoped} against {bare}");
}

#[test]
fn a_task_takes_at_most_96_bytes_more_than_tokios_own() {
    // Lists double, so that powers of two fill them; the scope's own bytes are in both counts.
    const TASKS: usize = 1024;
    let _turn = one_at_a_time();
    let runtime = runtime();
    // tokio rounds a task up to 128 bytes, so the futures of one size would show a difference
    // of 0 or of 128. Sixteen sizes, a word apart, show the difference as it is.
    let (mut bare_bytes, mut scoped_bytes) = (0, 0);
    macro_rules! each_size {
        ($($words:literal)*) => {$(
            bare_bytes += cost(|| runtime.block_on(bare::<$words>(2 * TASKS))).1
                - cost(|| runtime.block_on(bare::<$words>(TASKS))).1;
            scoped_bytes += cost(|| runtime.block_on(scoped::<$words>(2 * TASKS))).1
                - cost(|| runtime.block_on(scoped::<$words>(TASKS))).1;
        )*};
    }
    each_size!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    let more = (scoped_bytes - bare_bytes) as f64 / (16 * TASKS) as f64;
    assert!(more <= 96.0, "{more} bytes more");
}

#[test]
fn a_finished_scope_leaves_nothing() {
    let _turn = one_at_a_time();
    let runtime = runtime();
    let run = || runtime.block_on(scoped::<0>(3));
    (0..100).for_each(|_| run());
    let region = Region::new(ALLOCATOR);
    (0..10_000).for_each(|_| run());
    let change = region.change();
    let left = change.allocations.saturating_sub(change.deallocations);
    assert!(change.allocations > 30_000, "{change:?}");
    // The harness may start a test, and with it a thread; a leak would leave ten thousand.
    assert!(left < 1000, "{left} allocations are left: {change:?}");
}

/// One scope after the other is dropped half-way, and its task ends.
async fn burst_of_handed_over_scopes(count: usize) {
    let around = Context::background();
    let result: Result<(), Cancelled> = scope(&around, async |s| {
        let burst = async |count: usize| {
            for _ in 0..count {
                let mut inner = Box::pin(scope(s.context(), async |s| {
                    s.spawn(async |ctx| {
                        ctx.done().await;
                        Ok::<_, Cancelled>(())
                    });
                    std::future::pending::<Result<(), Cancelled>>().await
                }));
                for _ in 0..3 {
                    assert!(futures_util::poll!(inner.as_mut()).is_pending());
                }
                drop(inner);
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
        };
        burst(100).await;
        let region = Region::new(ALLOCATOR);
        burst(count).await;
        let change = region.change();
        let left = change.bytes_allocated as isize - change.bytes_deallocated as isize;
        assert!(left < 100 * count as isize, "{left} bytes are left");
        Ok(())
    })
    .await;
    assert!(result.is_ok());
}

#[test]
fn a_long_lived_scope_keeps_nothing_of_the_scopes_that_it_took_over() {
    let _turn = one_at_a_time();
    runtime().block_on(burst_of_handed_over_scopes(2_000));
}
