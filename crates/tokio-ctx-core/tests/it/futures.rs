//! Futures and streams: in every `select!`, cancel safe, and with the auto traits they have.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{FusedFuture, FutureExt};
use futures_util::stream::{self, FusedStream, StreamExt};
use tokio::sync::mpsc;
use tokio_ctx_core::future::{Done, DoneOwned, Run};
use tokio_ctx_core::{Budget, CancelGuard, CancelHandle, Cancelled, Context, OnCancel, Reason};

use crate::support::{Count, assert_live, poll, poll_with};

#[tokio::test]
async fn done_wakes_a_task_that_waits() {
    let ctx = Context::background().with_cancel();
    let waiter = tokio::spawn(ctx.done_owned());
    tokio::task::yield_now().await;
    ctx.cancel_with("closing time");
    let cancelled = waiter.await.expect("no panic");
    assert!(cancelled.to_string().contains("closing time"));
}

#[test]
fn done_stays_ready_and_says_so() {
    let ctx = Context::background().with_cancel();
    let mut done = std::pin::pin!(ctx.done());
    let mut owned = std::pin::pin!(ctx.done_owned());
    for _ in 0..2 {
        assert!(poll(done.as_mut()).is_pending() && !done.is_terminated());
        assert!(poll(owned.as_mut()).is_pending() && !owned.is_terminated());
    }
    ctx.cancel();
    for _ in 0..2 {
        assert!(poll(done.as_mut()).is_ready() && done.is_terminated());
        assert!(poll(owned.as_mut()).is_ready() && owned.is_terminated());
    }
}

#[tokio::test]
async fn done_works_in_a_select_loop_of_tokio() {
    let ctx = Context::background().with_cancel();
    let (sender, mut numbers) = mpsc::channel(8);
    for number in 1..=3 {
        sender.send(number).await.expect("there is room");
    }
    let mut sum = 0;
    let why = loop {
        tokio::select! {
            biased;
            cancelled = ctx.done() => break cancelled,
            Some(number) = numbers.recv() => {
                sum += number;
                if number == 2 {
                    ctx.cancel_with("enough");
                }
            }
        }
    };
    assert_eq!(sum, 3, "the third number stays in the channel");
    assert!(why.to_string().contains("enough"));
    assert_eq!(numbers.recv().await, Some(3));
}

#[tokio::test]
async fn done_works_in_a_select_loop_of_futures() {
    let ctx = Context::background().with_cancel();
    let mut done = std::pin::pin!(ctx.done());
    let mut numbers = stream::iter([1, 2, 3]).fuse();
    let mut sum = 0;
    loop {
        futures_util::select_biased! {
            number = numbers.next() => match number {
                Some(number) => sum += number,
                None => { ctx.cancel(); }
            },
            cancelled = done => {
                assert_eq!(cancelled.reason(), Reason::Cancelled);
            }
            complete => break,
        }
    }
    assert_eq!(sum, 6);
    assert!(done.is_terminated());
}

#[tokio::test]
async fn a_terminated_done_is_passed_over_by_select() {
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    let mut done = std::pin::pin!(ctx.done_owned());
    let mut rounds = 0;
    loop {
        futures_util::select! {
            _ = done => rounds += 1,
            complete => break,
        }
    }
    assert_eq!(rounds, 1);
}

#[test]
fn dropping_done_loses_nothing_and_leaves_no_waker() {
    let ctx = Context::background().with_cancel();
    let (dropped, kept) = (Count::default(), Count::default());
    for _ in 0..100 {
        assert!(poll_with(std::pin::pin!(ctx.done()), &dropped.waker()).is_pending());
    }
    let mut done = std::pin::pin!(ctx.done());
    assert!(poll_with(done.as_mut(), &kept.waker()).is_pending());
    ctx.cancel();
    assert_eq!((dropped.get(), kept.get()), (0, 1));
    assert!(poll(done).is_ready());
    assert!(ctx.done().now_or_never().is_some());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let ctx = Context::background().with_cancel();
    let (first, second) = (Count::default(), Count::default());
    let mut done = std::pin::pin!(ctx.done());
    assert!(poll_with(done.as_mut(), &first.waker()).is_pending());
    assert!(poll_with(done.as_mut(), &second.waker()).is_pending());
    ctx.cancel();
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[tokio::test]
async fn run_gives_the_value_of_the_future() {
    let ctx = Context::background().with_cancel();
    assert_eq!(ctx.run(async { 7 }).await.expect("not cancelled"), 7);
    assert_eq!(
        Context::background()
            .run(async { 7 })
            .await
            .expect("never ends"),
        7
    );
}

#[test]
fn run_refuses_to_start_when_the_context_has_ended() {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with("before");
    let (polls, dropped) = (Count::default(), Count::default());
    let (counted, held) = (polls.clone(), dropped.on_drop());
    let mut run = std::pin::pin!(ctx.run(async move {
        let _held = held;
        counted.add();
    }));
    let Poll::Ready(Err(cancelled)) = poll(run.as_mut()) else {
        panic!("it was refused")
    };
    assert!(cancelled.to_string().contains("before"));
    assert_eq!((polls.get(), dropped.get()), (0, 1));
}

#[tokio::test]
async fn a_finished_value_wins_over_a_cancel_at_the_same_moment() {
    let ctx = Context::background().with_cancel();
    let work = async {
        ctx.cancel();
        7
    };
    assert_eq!(ctx.run(work).await.expect("the work was finished"), 7);

    let ctx = Context::background().with_cancel();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut run = std::pin::pin!(ctx.run(receiver));
    assert!(poll(run.as_mut()).is_pending());
    sender.send(7).expect("somebody waits");
    ctx.cancel();
    assert_eq!(run.await.expect("sent before the cancel"), Ok(7));
}

#[test]
fn run_ends_with_its_context_and_drops_the_future_at_once() {
    let ctx = Context::background().with_cancel();
    let (woken, dropped) = (Count::default(), Count::default());
    let held = dropped.on_drop();
    let mut run = std::pin::pin!(ctx.run(async move {
        let _held = held;
        pending::<()>().await;
    }));
    assert!(poll_with(run.as_mut(), &woken.waker()).is_pending());
    ctx.cancel();
    assert_eq!((woken.get(), dropped.get()), (1, 0));
    assert!(matches!(poll(run.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(dropped.get(), 1, "before `run` itself is dropped");
}

#[test]
fn dropping_run_drops_its_future() {
    let ctx = Context::background().with_cancel();
    let dropped = Count::default();
    let held = dropped.on_drop();
    let mut run = Box::pin(ctx.run(async move {
        let _held = held;
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(dropped.get(), 1);
    assert_live(&ctx);
}

#[test]
#[should_panic(expected = "`Run` was polled after it was ready")]
fn run_polled_after_it_was_ready_panics_with_its_name() {
    let ctx = Context::background().with_cancel();
    let mut run = std::pin::pin!(ctx.run(ready(7)));
    assert!(poll(run.as_mut()).is_ready());
    let _ = poll(run.as_mut());
}

#[tokio::test(start_paused = true)]
async fn nested_runs_report_the_nearest_deadline() {
    let outer = Context::background().with_timeout(Duration::from_secs(9));
    let inner = outer.with_timeout(Duration::from_secs(1));
    let work = inner.run(pending::<()>());
    let cancelled = outer
        .run(work)
        .await
        .expect("the outer one lives")
        .unwrap_err();
    assert_eq!(cancelled.after(), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_stream_taken_until_done_ends_with_its_context_though_it_is_always_ready() {
    let ctx = Context::background().with_cancel();
    let mut numbers = std::pin::pin!(stream::iter(1_u64..).take_until(ctx.done()));
    assert_eq!(numbers.next().await, Some(1));
    assert_eq!(numbers.next().await, Some(2));
    assert!(!numbers.is_terminated());
    ctx.cancel();
    assert_eq!(numbers.next().await, None);
    assert!(numbers.is_terminated());
    assert_eq!(numbers.next().await, None);
}

#[tokio::test]
async fn a_stream_taken_until_done_wakes_when_the_context_ends() {
    let ctx = Context::background().with_cancel();
    let mut silent = std::pin::pin!(stream::pending::<u8>().take_until(ctx.done()));
    let woken = Count::default();
    assert!(poll_with(std::pin::pin!(silent.next()), &woken.waker()).is_pending());
    ctx.cancel();
    assert_eq!(woken.get(), 1);
    assert_eq!(silent.next().await, None);
}

#[tokio::test]
async fn a_stream_taken_until_done_ends_when_it_is_exhausted() {
    let ctx = Context::background().with_cancel();
    let numbers = stream::iter([1, 2, 3]).take_until(ctx.done());
    let numbers: Vec<_> = numbers.collect().await;
    assert_eq!(numbers, [1, 2, 3]);
    assert_live(&ctx);
}

#[tokio::test]
async fn dropping_next_loses_no_item_of_a_stream_taken_until_done() {
    let ctx = Context::background().with_cancel();
    let (sender, mut receiver) = mpsc::channel(4);
    let numbers = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let mut numbers = std::pin::pin!(numbers.take_until(ctx.done()));
    for number in 0..10 {
        assert!(numbers.next().now_or_never().is_none());
        sender.send(number).await.expect("somebody receives");
        assert_eq!(numbers.next().await, Some(number));
    }
}

#[tokio::test]
async fn run_over_next_takes_items_that_are_ready_first() {
    let ctx = Context::background().with_cancel();
    let mut numbers = stream::iter([1, 2]);
    let next = poll_fn(|cx| {
        ctx.cancel();
        numbers.poll_next_unpin(cx)
    });
    assert_eq!(ctx.run(next).await.expect("an item was ready"), Some(1));
}

/// Whether a type has a trait.
macro_rules! has {
    ($of:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "used only for types that lack the trait")]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}

        struct Probe<T: ?Sized>(PhantomData<T>);

        #[allow(dead_code, reason = "used only for types that have the trait")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$of>>::HAS
    }};
}

macro_rules! table {
    ($($of:ty),+ $(,)?) => {{
        let mut table = String::new();
        $(
            let mut row = String::from(stringify!($of));
            for (has, name) in [
                (has!($of: Send), "Send"),
                (has!($of: Sync), "Sync"),
                (has!($of: Unpin), "Unpin"),
                (has!($of: std::panic::UnwindSafe), "UnwindSafe"),
                (has!($of: Clone), "Clone"),
                (has!($of: std::fmt::Debug), "Debug"),
                (has!($of: FusedFuture), "FusedFuture"),
                (has!($of: FusedStream), "FusedStream"),
            ] {
                if has {
                    row.push(' ');
                    row.push_str(name);
                }
            }
            table.push_str(&row);
            table.push('\n');
        )+
        table
    }};
}

type NotSend = std::future::Ready<Rc<u8>>;
type NotSync = std::future::Ready<Cell<u8>>;
type Plain = std::future::Ready<u8>;

#[test]
fn the_auto_traits_of_every_public_type_are_these() {
    let table = table![
        Context,
        CancelGuard,
        CancelHandle,
        Cancelled,
        Reason,
        Budget,
        OnCancel,
        Done<'static>,
        DoneOwned,
        Run<Plain>,
        Run<NotSync>,
        Run<NotSend>,
    ];
    let expected = "\
Context Send Sync Unpin UnwindSafe Clone Debug
CancelGuard Send Sync Unpin UnwindSafe Debug
CancelHandle Send Sync Unpin UnwindSafe Clone Debug
Cancelled Send Sync Unpin UnwindSafe Clone Debug
Reason Send Sync Unpin UnwindSafe Clone Debug
Budget Send Sync Unpin UnwindSafe Clone Debug
OnCancel Send Sync Unpin Debug
Done<'static> Send Sync Debug FusedFuture
DoneOwned Send Sync Debug FusedFuture
Run<Plain> Send Sync Debug
Run<NotSync> Send Debug
Run<NotSend> Debug
";
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn handles_are_as_small_as_promised() {
    // A pointer to the lifetime, and one to the values, which carries their type.
    assert_eq!(size_of::<Context>(), 3 * size_of::<usize>());
    assert_eq!(size_of::<Cancelled>(), 2 * size_of::<usize>());
}
