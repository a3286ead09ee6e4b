//! Single operations under divan: `cargo bench -p benches`, with a filter if need be.
//!
//! For working on one operation. The table of rivals is made by `cargo xtask bench`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use divan::{Bencher, black_box};
use tokio_ctx::{Context, key};

key! {
    First: u64;
    Second: u64;
    Absent: u64;
}

fn main() {
    divan::main();
}

#[divan::bench]
fn derive_cancel_drop(bencher: Bencher<'_, '_>) {
    let parent = Context::background().with_cancel();
    bencher.bench_local(|| parent.with_cancel().cancel());
}

#[divan::bench]
fn derive_with_timeout(bencher: Bencher<'_, '_>) {
    let parent = Context::background().with_cancel();
    bencher.bench_local(|| parent.with_timeout(Duration::from_secs(60)));
}

#[divan::bench(args = [1, 10, 100])]
fn is_done(bencher: Bencher<'_, '_>, depth: usize) {
    let mut ctx = Context::background();
    for _ in 0..depth {
        ctx = ctx.with_cancel().disarm();
    }
    bencher.bench_local(|| black_box(&ctx).is_done());
}

#[divan::bench]
fn done_polled_once(bencher: Bencher<'_, '_>) {
    let ctx = Context::background().with_cancel();
    bencher.bench_local(|| {
        let mut cx = TaskContext::from_waker(Waker::noop());
        pin!(ctx.done()).poll(&mut cx).is_pending()
    });
}

#[divan::bench]
fn on_cancel_and_stop(bencher: Bencher<'_, '_>) {
    let ctx = Context::background().with_cancel();
    bencher.bench_local(|| ctx.on_cancel(|_| ()).stop());
}

#[divan::bench]
fn with_value(bencher: Bencher<'_, '_>) {
    let ctx = Context::background().with_value::<First>(1);
    bencher.bench_local(|| ctx.with_value::<Second>(2));
}

#[divan::bench]
fn value(bencher: Bencher<'_, '_>) {
    let ctx = Context::background()
        .with_value::<First>(1)
        .with_value::<Second>(2);
    bencher.bench_local(|| black_box(&ctx).value::<First>().copied());
}

#[divan::bench]
fn absent_value(bencher: Bencher<'_, '_>) {
    let ctx = Context::background()
        .with_value::<First>(1)
        .with_value::<Second>(2);
    bencher.bench_local(|| black_box(&ctx).value::<Absent>().copied());
}
