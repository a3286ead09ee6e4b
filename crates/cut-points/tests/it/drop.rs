//! Dropping a call: which faults are found, and which are none.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cut_points::{FaultKind, Outcome, Report, world};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;

fn kinds(report: &Report) -> Vec<FaultKind> {
    let mut kinds: Vec<FaultKind> = Vec::new();
    for cut in report.failures() {
        for fault in cut.faults() {
            if !kinds.contains(&fault.kind()) {
                kinds.push(fault.kind());
            }
        }
    }
    kinds
}

#[test]
fn what_the_check_finds_is_a_fault_with_its_text_and_line() {
    let report = world(async || Cell::new(0))
        .check(async |busy: &Cell<u32>| assert_eq!(busy.get(), 0, "still busy"))
        .drop_everywhere(async |busy: &Cell<u32>| {
            busy.set(busy.get() + 1);
            yield_now().await;
            busy.set(busy.get() - 1);
        });
    assert_eq!(report.failures().count(), 1);
    let cut = report.failures().next().expect("a failure");
    assert_eq!(cut.outcome(), &Outcome::Dropped);
    let fault = &cut.faults()[0];
    assert_eq!(fault.kind(), FaultKind::Check);
    assert!(fault.text().contains("still busy"), "{fault:?}");
    assert!(fault.text().contains("tests/it/drop.rs:"), "{fault:?}");
    assert!(!fault.text().contains('\n'));
}

#[test]
fn a_second_call_that_fails_is_a_fault() {
    let permit = async |permits: &Semaphore| {
        let permit = permits.try_acquire().map_err(|_| "no permit")?;
        permit.forget();
        yield_now().await;
        permits.add_permits(1);
        Ok::<_, &str>(())
    };
    let report = world(async || Semaphore::new(1)).drop_everywhere(permit);
    assert_eq!(kinds(&report), [FaultKind::SecondCall]);
    assert!(
        report
            .to_string()
            .contains("a second call failed: \"no permit\""),
        "{report}"
    );
    world(async || Semaphore::new(1))
        .once()
        .drop_everywhere(permit)
        .assert_ok();
}

#[test]
fn a_second_call_that_never_ends_is_a_fault() {
    let report = world(async || Semaphore::new(1)).drop_everywhere(async |permits: &Semaphore| {
        permits.acquire().await.expect("never closed").forget();
        yield_now().await;
        permits.add_permits(1);
    });
    assert_eq!(kinds(&report), [FaultKind::SecondCall]);
    assert!(
        report.to_string().contains("a second call does not end"),
        "{report}"
    );
}

#[test]
fn a_task_that_still_runs_is_a_fault_and_the_report_says_where_it_was_spawned() {
    async fn leaky() {
        let task = tokio::spawn(sleep(Duration::from_secs(5)));
        task.await.expect("it does not panic"); // LEAK
    }
    let report = world(async || ()).drop_everywhere(async |(): &()| leaky().await);
    assert_eq!(kinds(&report), [FaultKind::StillRuns]);
    let line = 1 + include_str!("drop.rs")
        .lines()
        .position(|line| line.contains("// LEAK"))
        .expect("a mark");
    let text = report.failures().next().expect("a failure").faults()[0]
        .text()
        .to_owned();
    assert!(text.contains(&format!("drop.rs:{line}")), "{text}");
    world(async || ())
        .tasks_may_outlive()
        .drop_everywhere(async |(): &()| leaky().await)
        .assert_ok();
}

#[test]
fn a_task_that_ends_by_itself_is_no_fault() {
    let give_back = async |(): &()| {
        struct GiveBack;
        impl Drop for GiveBack {
            fn drop(&mut self) {
                tokio::spawn(async { yield_now().await });
            }
        }
        let _held = GiveBack;
        sleep(Duration::from_secs(1)).await;
    };
    world(async || ()).drop_everywhere(give_back).assert_ok();
}

#[test]
fn what_is_left_gets_the_time_to_settle_that_is_set() {
    let slow = async |(): &()| {
        struct Slow(bool);
        impl Drop for Slow {
            fn drop(&mut self) {
                if !self.0 {
                    tokio::spawn(sleep(Duration::from_secs(3)));
                }
            }
        }
        let mut held = Slow(false);
        yield_now().await;
        held.0 = true;
    };
    assert_eq!(
        kinds(&world(async || ()).drop_everywhere(slow)),
        [FaultKind::StillRuns]
    );
    world(async || ())
        .settle(Duration::from_secs(4))
        .drop_everywhere(slow)
        .assert_ok();
}

#[test]
fn a_fault_between_the_polls_of_a_task_is_found() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    static DONE: AtomicU32 = AtomicU32::new(0);
    struct AbortOnDrop(tokio::task::JoinHandle<()>);
    impl Drop for AbortOnDrop {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let test = || {
        world(async || {
            BEGUN.store(0, Ordering::SeqCst);
            DONE.store(0, Ordering::SeqCst);
        })
        .check(async |(): &()| {
            assert_eq!(
                BEGUN.load(Ordering::SeqCst),
                DONE.load(Ordering::SeqCst),
                "half done"
            );
        })
    };
    let half = async |(): &()| {
        let mut task = AbortOnDrop(tokio::spawn(async {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
            DONE.fetch_add(1, Ordering::SeqCst);
        }));
        (&mut task.0).await.expect("it does not panic");
    };
    let report = test().drop_everywhere(half);
    assert_eq!(kinds(&report), [FaultKind::Check]);
    assert!(
        report.failures().all(cut_points::Cut::is_between),
        "{report}"
    );
    assert!(test().skip_tasks().drop_everywhere(half).is_ok());
}

#[test]
fn a_call_that_fails_uncut_stops_the_tool_and_says_so() {
    let report = world(async || ()).drop_everywhere(async |(): &()| {
        yield_now().await;
        Err::<(), _>("no\nsuch\u{1b}[31m table")
    });
    let clean = report.clean_failure().expect("it fails");
    assert_eq!(clean.faults()[0].kind(), FaultKind::Clean);
    assert!(clean.faults()[0].text().contains("no\\nsuch"), "{report}");
    assert!(report.cuts().is_empty() && !report.is_ok());
    assert!(
        report.to_string().contains("although nothing is cut"),
        "{report}"
    );
    assert!(!report.to_string().contains('\u{1b}'));
}

#[test]
fn a_world_that_cannot_be_made_stops_the_tool_and_says_so() {
    let report = world(async || panic!("no disk")).drop_everywhere(async |(): &()| {});
    let text = report.to_string();
    assert!(
        text.contains("the world cannot be made: panicked: no disk at"),
        "{text}"
    );
}

#[test]
fn a_call_that_never_ends_stops_the_tool_and_says_so() {
    let report =
        world(async || ()).drop_everywhere(async |(): &()| std::future::pending::<()>().await);
    assert_eq!(
        report.clean_failure().expect("it fails").outcome(),
        &Outcome::Hangs
    );
}

#[test]
fn a_panic_of_a_destructor_is_a_fault() {
    struct Unfinished(bool);
    impl Drop for Unfinished {
        fn drop(&mut self) {
            assert!(self.0, "dropped unfinished");
        }
    }
    let report = world(async || ()).drop_everywhere(async |(): &()| {
        let mut guard = Unfinished(false);
        yield_now().await;
        guard.0 = true;
    });
    assert_eq!(kinds(&report), [FaultKind::Panic]);
    assert!(
        report.to_string().contains("dropped unfinished at"),
        "{report}"
    );
}

#[test]
fn a_panic_of_a_task_counts_only_where_no_run_without_a_cut_has_it() {
    let quarrelsome = async |(): &()| {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move { receiver.await.expect("an answer") });
        yield_now().await;
        sender.send(()).expect("somebody listens");
    };
    let report = world(async || ()).drop_everywhere(quarrelsome);
    assert_eq!(kinds(&report), [FaultKind::TaskPanic]);
    world(async || ())
        .drop_everywhere(async |(): &()| {
            let task = tokio::spawn(async { panic!("always") });
            assert!(task.await.is_err());
        })
        .assert_ok();
}

#[test]
fn a_check_that_never_ends_is_a_fault() {
    let report = world(async || RefCell::new(Vec::new()))
        .check(async |log: &RefCell<Vec<u8>>| {
            let cut = log.borrow().len() == 1;
            if cut {
                std::future::pending::<()>().await;
            }
        })
        .once()
        .drop_everywhere(async |log: &RefCell<Vec<u8>>| {
            log.borrow_mut().push(1);
            yield_now().await;
            log.borrow_mut().push(2);
        });
    assert_eq!(kinds(&report), [FaultKind::Check]);
    assert!(
        report.to_string().contains("check: does not end"),
        "{report}"
    );
}

#[test]
fn a_failed_report_fails_the_test_with_all_of_it() {
    let report = world(async || Cell::new(false))
        .check(async |open: &Cell<bool>| assert!(!open.get(), "left open"))
        .drop_everywhere(async |open: &Cell<bool>| {
            open.set(true);
            sleep(Duration::from_secs(1)).await;
            open.set(false);
        });
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| report.assert_ok()));
    let text = *panic
        .expect_err("it fails")
        .downcast::<String>()
        .expect("a text");
    for part in [
        concat!("drop_everywhere at ", file!(), ":"),
        "cut 1 of 1, while it awaits",
        "tokio::time::sleep::Sleep",
        "left open",
        "replay: CUT_POINTS_ONLY=1 cargo test drop::a_failed_report_fails_the_test_with_all_of_it",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}
