//! Row 17: allocations and bytes, counted. Prints `name allocations bytes`, a line for each.

use std::alloc::System;
use std::future::Future;
use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tokio_ctx::scope;
use tokio_ctx::{Cancelled, Context, key};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

key! {
    First: u64;
    Second: u64;
}

/// Lists double, so that powers of two fill them.
const TASKS: usize = 1024;

/// Allocations and bytes.
struct Counted {
    allocations: f64,
    bytes: f64,
}

fn main() {
    let parent = Context::background().with_cancel();
    print("derive", &[count(|| parent.with_cancel())]);
    let valued = Context::background().with_value::<First>(1);
    print("value", &[count(|| valued.with_value::<Second>(2))]);

    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    // tokio rounds a task up to 128 bytes, so the futures of one size would show a difference
    // of 0 or of 128. Sixteen sizes, a word apart, show the difference as it is.
    macro_rules! each_size {
        ($side:ident: $($words:literal)*) => {
            [$($side::<$words>(&runtime)),*]
        };
    }
    print(
        "bare-task",
        &each_size!(bare: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
    );
    print(
        "scoped-task",
        &each_size!(scoped: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
    );
}

fn print(name: &str, counted: &[Counted]) {
    let mean = |of: fn(&Counted) -> f64| counted.iter().map(of).sum::<f64>() / counted.len() as f64;
    println!(
        "{name} {:.3} {:.1}",
        mean(|counted| counted.allocations),
        mean(|counted| counted.bytes)
    );
}

/// The result is kept until it was counted.
fn count<R>(work: impl FnOnce() -> R) -> Counted {
    let region = Region::new(COUNTED);
    let kept = black_box(work());
    let change = region.change();
    drop(kept);
    Counted {
        allocations: change.allocations as f64,
        bytes: change.bytes_allocated as f64,
    }
}

/// The same task for both: it holds its context and some words.
fn work<const WORDS: usize>(
    ctx: Context,
) -> impl Future<Output = Result<(), Cancelled>> + Send + 'static {
    let words = [1_u64; WORDS];
    async move {
        black_box((&ctx, &words));
        Ok(())
    }
}

/// Of the second half of twice as many tasks: what a scope or a runtime takes once is in both.
fn per_task(many: impl Fn(usize)) -> Counted {
    // The runtime grows its queue once.
    many(2 * TASKS);
    let (half, whole) = (count(|| many(TASKS)), count(|| many(2 * TASKS)));
    Counted {
        allocations: (whole.allocations - half.allocations) / TASKS as f64,
        bytes: (whole.bytes - half.bytes) / TASKS as f64,
    }
}

fn bare<const WORDS: usize>(runtime: &Runtime) -> Counted {
    let many = async |count| {
        let ctx = Context::background().with_cancel();
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            handles.push(tokio::spawn(work::<WORDS>(Context::clone(&ctx))));
        }
        for handle in handles {
            assert!(handle.await.is_ok_and(|result| result.is_ok()));
        }
    };
    per_task(|count| runtime.block_on(many(count)))
}

fn scoped<const WORDS: usize>(runtime: &Runtime) -> Counted {
    let many = async |count| {
        let result: Result<(), Cancelled> = scope(&Context::background(), async |s| {
            for _ in 0..count {
                drop(s.spawn(work::<WORDS>));
            }
            Ok(())
        })
        .await;
        assert!(result.is_ok());
    };
    per_task(|count| runtime.block_on(many(count)))
}
