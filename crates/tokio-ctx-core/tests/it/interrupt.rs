//! Interrupts: early, late, repeated, refused, panicking, and without a runtime.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_ctx_core::interrupt::{Abandoned, Interrupt, Outcome};
use tokio_ctx_core::{Context, Reason};

use crate::support::{Count, HOUR, SOON, poll};

/// One command at a time, as a database session has it: an interrupt ends the one that runs, and
/// is lost where none does.
#[derive(Clone, Default)]
struct Session(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    runs: bool,
    interrupted: bool,
    waiting: Option<Waker>,
}

impl Session {
    /// Runs until it is interrupted, after `lead` during which nobody can interrupt it.
    async fn run(&self, lead: Duration) -> &'static str {
        sleep(lead).await;
        self.0.borrow_mut().runs = true;
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if std::mem::take(&mut state.interrupted) {
                state.runs = false;
                return Poll::Ready("interrupted");
            }
            state.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn interrupt(&self) {
        let mut state = self.0.borrow_mut();
        if state.runs {
            state.interrupted = true;
            if let Some(waker) = state.waiting.take() {
                waker.wake();
            }
        }
    }
}

fn never_sent() -> Interrupt<impl FnMut() -> std::future::Ready<Result<(), Infallible>>> {
    Interrupt::new(|| -> std::future::Ready<Result<(), Infallible>> {
        panic!("nothing is to be interrupted")
    })
}

#[tokio::test]
async fn work_is_not_begun_after_the_end() {
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    let work = async { unreachable!("it is never polled") };
    match never_sent().run(&ctx, work).await {
        Outcome::Refused(why) => assert_eq!(why.reason(), Reason::Cancelled),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_first_is_never_interrupted() {
    let ctx = Context::background().with_timeout(HOUR);
    let work = async {
        sleep(Duration::from_secs(1)).await;
        7
    };
    let outcome = never_sent().run(&ctx, work).await;
    assert!(matches!(outcome, Outcome::Finished(7)), "{outcome:?}");
}

#[tokio::test]
async fn a_value_that_is_ready_at_the_end_is_never_thrown_away() {
    let ctx = Context::background().with_cancel();
    let work = async {
        ctx.cancel();
        7
    };
    let outcome = never_sent().run(&ctx, work).await;
    assert!(matches!(outcome, Outcome::Finished(7)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_the_work_and_its_output_is_given_back() {
    let session = Session::default();
    let ctx = Context::background().with_timeout(Duration::from_secs(5));
    let interrupt = Interrupt::new(|| {
        session.interrupt();
        ready(Ok::<_, Infallible>(()))
    });
    match interrupt.run(&ctx, session.run(Duration::ZERO)).await {
        Outcome::Stopped { output, why } => {
            assert_eq!(output, "interrupted");
            assert!(why.is_timeout());
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_that_comes_too_early_is_sent_again() {
    let session = Session::default();
    let sent = Cell::new(0);
    let interrupt = Interrupt::new(|| {
        sent.set(sent.get() + 1);
        session.interrupt();
        ready(Ok::<_, Infallible>(()))
    });
    let work = session.run(Duration::from_millis(120));
    let began = Instant::now();
    assert_eq!(interrupt.until(work).await.unwrap(), "interrupted");
    assert_eq!(sent.get(), 4, "at 0, 50 and 100 ms nothing runs yet");
    assert_eq!(began.elapsed(), Duration::from_millis(150));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_returned_while_an_interrupt_could_still_arrive() {
    let under_way = Cell::new(false);
    let interrupt = Interrupt::new(async || {
        under_way.set(true);
        sleep(Duration::from_secs(1)).await;
        under_way.set(false);
        Ok::<_, Infallible>(())
    });
    let work = sleep(Duration::from_millis(10));
    let began = Instant::now();
    interrupt.until(work).await.unwrap();
    assert!(!under_way.get());
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn one_interrupt_is_under_way_at_a_time() {
    let under_way = Cell::new(0);
    let sent = Cell::new(0);
    let interrupt = Interrupt::new(async || {
        under_way.set(under_way.get() + 1);
        sent.set(sent.get() + 1);
        assert_eq!(under_way.get(), 1);
        sleep(Duration::from_millis(70)).await;
        under_way.set(under_way.get() - 1);
        Ok::<_, Infallible>(())
    });
    interrupt
        .until(sleep(Duration::from_millis(500)))
        .await
        .unwrap();
    assert_eq!(sent.get(), 5, "70 ms each and 50 ms between them");
}

#[tokio::test(start_paused = true)]
async fn the_work_goes_on_while_an_interrupt_is_under_way() {
    let (answer, asked) = tokio::sync::oneshot::channel();
    let answer = Cell::new(Some(answer));
    let asked = RefCell::new(Some(asked));
    // The interrupt waits for the work to answer: it would hang if only one of them was polled.
    let interrupt = Interrupt::new(|| {
        let asked = asked.borrow_mut().take();
        async move { asked.expect("one interrupt").await }
    });
    let work = async {
        tokio::task::yield_now().await;
        answer.take().expect("polled once").send(()).unwrap();
        7
    };
    assert_eq!(interrupt.until(work).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_refused_interrupt_abandons_the_work_at_once() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let work = async move {
        let _held = held;
        pending::<()>().await;
    };
    let ctx = Context::background().with_timeout(Duration::from_secs(5));
    let began = Instant::now();
    let interrupt = Interrupt::new(|| ready(Err("no such session")));
    match interrupt.run(&ctx, work).await {
        Outcome::Abandoned { why, left } => {
            assert!(why.is_timeout());
            assert_eq!(left.refused, Some("no such session"));
            assert_eq!(left.output, None);
            assert_eq!(left.to_string(), "could not be interrupted");
        }
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(dropped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn deaf_work_is_abandoned_when_the_grace_is_over() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let work = async move {
        let _held = held;
        pending::<()>().await;
    };
    let began = Instant::now();
    let interrupt = Interrupt::new(|| ready(Ok::<_, Infallible>(())));
    let left = interrupt
        .grace(Duration::from_secs(3))
        .until(work)
        .await
        .unwrap_err();
    assert!(left.refused.is_none() && left.output.is_none());
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(dropped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_that_hangs_is_given_up_and_the_output_is_kept() {
    let dropped = Count::default();
    let interrupt = Interrupt::new(|| {
        let held = dropped.on_drop();
        async move {
            let _held = held;
            pending::<Result<(), Infallible>>().await
        }
    });
    let began = Instant::now();
    let left = interrupt.until(async { 7 }).await.unwrap_err();
    assert_eq!((left.output, left.refused), (Some(7), None));
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(dropped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_interrupt_reaches_the_caller_and_drops_the_work() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let work = async move {
        let _held = held;
        pending::<()>().await;
    };
    let interrupt = Interrupt::new(async || -> Result<(), Infallible> { panic!("out of sockets") });
    let panicked = AssertUnwindSafe(interrupt.until(work)).catch_unwind().await;
    let payload = panicked.expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&"out of sockets"));
    assert_eq!(dropped.get(), 1);
}

#[tokio::test]
async fn dropped_half_way_work_and_interrupt_are_dropped() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let work = async move {
        let _held = held;
        pending::<()>().await;
    };
    let interrupt = Interrupt::new(|| {
        let held = dropped.on_drop();
        async move {
            let _held = held;
            pending::<Result<(), Infallible>>().await
        }
    });
    let mut until = Box::pin(interrupt.until(work));
    assert!(poll(until.as_mut()).is_pending());
    drop(until);
    assert_eq!(dropped.get(), 2);
}

/// Its runtime is gone, and with it the timers that were armed there.
#[test]
fn the_grace_ends_without_the_runtime_that_it_began_in() {
    let interrupt = Interrupt::new(pending::<Result<(), Infallible>>).grace(SOON);
    let mut until = Box::pin(interrupt.until(pending::<()>()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let polled = poll_fn(|cx| Poll::Ready(until.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    });
    drop(runtime);
    let left: Abandoned<(), Infallible> = futures_executor::block_on(until).unwrap_err();
    assert!(left.output.is_none());
}

/// A runtime that shuts down drops what it has; nothing hangs, nothing panics.
#[test]
fn a_runtime_that_shuts_down_drops_work_and_interrupt() {
    let dropped = Count::default();
    let held = dropped.on_drop();
    let in_interrupt = dropped.clone();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (began, has_begun) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let interrupt = Interrupt::new(|| {
            let held = in_interrupt.on_drop();
            began.send(()).expect("somebody waits");
            async move {
                let _held = held;
                pending::<Result<(), Infallible>>().await
            }
        });
        let work = async move {
            let _held = held;
            pending::<()>().await;
        };
        interrupt.grace(HOUR).until(work).await
    });
    has_begun.recv().expect("it begins");
    drop(runtime);
    assert_eq!(dropped.get(), 2);
}
