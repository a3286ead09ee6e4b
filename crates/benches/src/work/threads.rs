//! Threads that share: rows 5 and 12.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use tokio_ctx::{Context, key};
use tokio_util::sync::CancellationToken;

use crate::go::Go;
use crate::harness::Group;

key! { Shared: &'static str }

/// Does `work` `times` times altogether on `threads` threads, and tells how long that took.
pub(crate) fn together(threads: usize, times: u64, work: impl Fn() + Sync) -> Duration {
    let share = times.div_ceil(threads as u64);
    let begin = Barrier::new(threads + 1);
    let end = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..share {
                    work();
                }
                end.wait();
            });
        }
        begin.wait();
        let start = Instant::now();
        end.wait();
        start.elapsed()
    })
}

/// A hundred divisions that cannot be left out, each waiting for the one before, of the
/// width that Go's benchmark has.
fn divisions(mut x: i64) -> i64 {
    for divisor in 1..=100 {
        x /= black_box(divisor);
    }
    x
}

/// Go's CommonParentCancel with four threads: derive, look a value up through the child,
/// divide, cancel, divide. The divisions only pass the time, so there is a row without them.
pub(super) fn common_parent(go: &Go) -> Group<'_> {
    let shared = Context::background()
        .with_value::<Shared>("value")
        .with_cancel();
    let alone = Context::clone(&shared);
    Group::new()
        .timed("tokio-ctx", move |times| {
            together(4, times, || {
                let child = shared.with_cancel();
                assert_eq!(child.value::<Shared>(), Some(&"value"));
                let x = divisions(black_box(0));
                child.cancel();
                assert_eq!(divisions(x), 0);
            })
        })
        .timed("no divisions", move |times| {
            together(4, times, || {
                let child = alone.with_cancel();
                assert_eq!(child.value::<Shared>(), Some(&"value"));
                child.cancel();
            })
        })
        .go("Go", go, "common4", 0)
        .go("Go, no divisions", go, "shared4", 0)
        .row(
            "12",
            "4 threads derive, look up, cancel under one parent, and divide",
            "tokio-ctx",
            "Go",
            0.50,
        )
        .row(
            "12i",
            "the same without the divisions, which only pass the time",
            "no divisions",
            "Go, no divisions",
            None,
        )
}

pub(super) fn derive_together<'a>() -> Group<'a> {
    let parent = Context::background().with_cancel();
    let token = CancellationToken::new();
    Group::new()
        .timed("tokio-ctx", move |times| {
            together(4, times, || {
                black_box(parent.with_cancel().cancel());
            })
        })
        .timed("token", move |times| {
            together(4, times, || token.child_token().cancel())
        })
        .row(
            "12b",
            "4 threads derive, cancel, drop under one parent",
            "tokio-ctx",
            "token",
            0.60,
        )
}
