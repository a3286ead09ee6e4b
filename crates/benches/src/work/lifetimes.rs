//! Lifetimes: rows 1 to 7.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

use super::threads::together;
use crate::go::Go;
use crate::harness::Group;

const HOUR: Duration = Duration::from_secs(3600);

/// One child of a live parent. All three sides make it, show it to nobody, cancel it and
/// forget it; ours remembers the line that made it and the reason besides.
pub(super) fn derive(go: &Go) -> Group<'_> {
    let parent = Context::background().with_cancel();
    let token = CancellationToken::new();
    let work = "derive, cancel, drop";
    Group::new()
        .side("tokio-ctx", move || {
            let child = parent.with_cancel();
            black_box(&child);
            black_box(child.cancel());
        })
        .side("token", move || {
            let child = token.child_token();
            black_box(&child);
            child.cancel();
        })
        .go("Go", go, "derive", 0)
        .go("Go, 1 processor", go, "derive", 1)
        .row("1", work, "tokio-ctx", "token", 0.60)
        .row("2", work, "tokio-ctx", "Go", 0.35)
        .row("2i", work, "tokio-ctx", "Go, 1 processor", None)
}

/// Go's one node that has both a timer and a cancel function is two nodes here.
pub(super) fn timeout(go: &Go) -> Group<'_> {
    let parent = Context::background().with_cancel();
    let work = "derive with timeout, cancel, drop";
    Group::new()
        .side("tokio-ctx", move || {
            let child = parent.with_cancel().map(|ctx| ctx.with_timeout(HOUR));
            black_box(&child);
            black_box(child.cancel());
        })
        .go("Go", go, "timeout", 0)
        .go("Go, 1 processor", go, "timeout", 1)
        .row("3", work, "tokio-ctx", "Go", 0.30)
        .row("3i", work, "tokio-ctx", "Go, 1 processor", None)
}

/// A context with two ancestors; nobody waits on it.
fn third() -> Context {
    let context = Context::background().with_cancel().disarm();
    let context = context.with_cancel().disarm();
    context.with_cancel().disarm()
}

pub(super) fn ask<'a>() -> Group<'a> {
    let context = third();
    let timed = third().with_timeout(HOUR);
    let token = CancellationToken::new().child_token().child_token();
    Group::new()
        .side("tokio-ctx", move || {
            black_box(black_box(&context).is_done());
        })
        .side("with a deadline", move || {
            black_box(black_box(&timed).is_done());
        })
        .side("token", move || {
            black_box(black_box(&token).is_cancelled());
        })
        .row("4", "`is_done`, live, depth 3", "tokio-ctx", "token", 0.15)
        .row(
            "4i",
            "`is_done`, live, with a deadline (reads the clock)",
            "with a deadline",
            "token",
            None,
        )
}

pub(super) fn ask_together<'a>() -> Group<'a> {
    let context = third();
    let token = CancellationToken::new();
    Group::new()
        .timed("tokio-ctx", move |times| {
            together(2, times, || {
                black_box(black_box(&context).is_done());
            })
        })
        .timed("token", move |times| {
            together(2, times, || {
                black_box(black_box(&token).is_cancelled());
            })
        })
        .row(
            "5",
            "the same, 2 threads sharing",
            "tokio-ctx",
            "token",
            0.05,
        )
}

fn poll_once<F: Future>(future: F) {
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(matches!(pin!(future).poll(&mut cx), Poll::Pending));
}

/// Both wait on a node whose way to be woken exists already.
pub(super) fn wait<'a>() -> Group<'a> {
    let context = third();
    let token = CancellationToken::new().child_token().child_token();
    Group::new()
        .side("tokio-ctx", move || poll_once(black_box(&context).done()))
        .side("token", move || poll_once(black_box(&token).cancelled()))
        .row(
            "6",
            "`done()`: make, poll pending, drop",
            "tokio-ctx",
            "token",
            1.25,
        )
}

pub(super) fn first_wait<'a>() -> Group<'a> {
    let parent = Context::background().with_cancel();
    // Somebody waits on the parent, as somebody would: its token exists.
    poll_once(parent.done());
    let token = CancellationToken::new();
    Group::new()
        .side("tokio-ctx", move || {
            let child = parent.with_cancel();
            poll_once(child.done());
            black_box(child.cancel());
        })
        .side("token", move || {
            let child = token.child_token();
            poll_once(child.cancelled());
            child.cancel();
        })
        .row(
            "6b",
            "derive, wait once, cancel, drop",
            "tokio-ctx",
            "token",
            1.50,
        )
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// A loop whose other arm is always ready, so that `done()` is made, polled and dropped each
/// time round.
async fn select_loop(context: &Context, times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        tokio::select! {
            biased;
            _ = context.done() => unreachable!("nobody cancels"),
            item = ready(1) => black_box(item),
        };
    }
    start.elapsed()
}

async fn select_loop_random(context: &Context, times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        tokio::select! {
            _ = context.done() => unreachable!("nobody cancels"),
            item = ready(1) => black_box(item),
        };
    }
    start.elapsed()
}

pub(super) fn select<'a>() -> Group<'a> {
    let (timed, plain) = (third().with_timeout(HOUR), third().with_cancel().disarm());
    let (one, other) = (runtime(), runtime());
    Group::new()
        .timed("with a deadline", move |times| {
            one.block_on(select_loop(&timed, times))
        })
        .timed("without", move |times| {
            other.block_on(select_loop(&plain, times))
        })
        .row(
            "7",
            "`done()` in a biased `select!` loop, on a context with a deadline",
            "with a deadline",
            "without",
            1.30,
        )
}

pub(super) fn select_random<'a>() -> Group<'a> {
    let (timed, plain) = (third().with_timeout(HOUR), third().with_cancel().disarm());
    let (one, other) = (runtime(), runtime());
    Group::new()
        .timed("with a deadline", move |times| {
            one.block_on(select_loop_random(&timed, times))
        })
        .timed("without", move |times| {
            other.block_on(select_loop_random(&plain, times))
        })
        .row(
            "7b",
            "the same, in a random `select!` loop",
            "with a deadline",
            "without",
            1.30,
        )
}
