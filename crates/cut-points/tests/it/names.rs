//! The names of points.

use std::cell::Cell;
use std::time::Duration;

use cut_points::{Report, world};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

/// Cuts `run`, whose check always fails after a cut, so that each cut has a name.
fn named(run: impl AsyncFn() + 'static) -> Report {
    world(async || Cell::new(false))
        .check(async |over: &Cell<bool>| assert!(over.get(), "cut"))
        .once()
        .skip_ready()
        .drop_everywhere(async move |over: &Cell<bool>| {
            run().await;
            over.set(true);
        })
}

/// The text of the lines of this file at which the cuts stand, innermost frames only.
fn lines(report: &Report) -> Vec<Vec<String>> {
    let line = |frame: &cut_points::Frame| frame.source().expect("it is here").to_owned();
    let cuts = report.failures();
    cuts.map(|cut| {
        cut.places()
            .iter()
            .map(|place| line(&place.frames()[0]))
            .collect()
    })
    .collect()
}

async fn inner() {
    sleep(Duration::from_secs(1)).await; // one
    yield_now().await; // two
}

#[test]
fn each_point_is_named_by_its_chain_of_awaits() {
    let report = named(async || inner().await);
    assert_eq!(
        lines(&report),
        [
            ["sleep(Duration::from_secs(1)).await; // one"],
            ["yield_now().await; // two"]
        ]
    );
    let place = &report.cuts()[0].places()[0];
    assert_eq!(place.awaited(), Some("tokio::time::sleep::Sleep"));
    let frames = place.frames();
    assert!(frames.len() > 1, "{place}");
    assert!(frames.iter().all(|frame| frame.file() == file!()));
}

#[test]
fn a_ready_await_is_named_too() {
    let report = world(async || Cell::new(false))
        .check(async |over: &Cell<bool>| assert!(over.get(), "cut"))
        .once()
        .drop_everywhere(async |over: &Cell<bool>| {
            let permits = Semaphore::new(1);
            drop(permits.acquire().await);
            drop(permits.acquire().await); // ready
            over.set(true);
        });
    assert_eq!(
        lines(&report),
        [["drop(permits.acquire().await); // ready"]]
    );
}

#[test]
fn branches_side_by_side_are_all_named() {
    async fn left() {
        sleep(Duration::from_secs(1)).await; // left
    }
    async fn right() {
        sleep(Duration::from_secs(1)).await; // right
    }
    let report = named(async || {
        tokio::join!(left(), right());
    });
    let first = &lines(&report)[0];
    assert_eq!(first.len(), 2, "{report}");
    assert!(
        first[0].contains("// left") && first[1].contains("// right"),
        "{report}"
    );
}

#[test]
fn a_branch_that_was_passed_in_the_same_poll_is_not_named() {
    let report = named(async || {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.try_send(1).expect("there is room");
        tokio::select! {
            biased;
            () = sleep(Duration::from_secs(9)) => {}
            _ = receiver.recv() => {}
        }
        sleep(Duration::from_secs(1)).await; // after
    });
    assert_eq!(
        lines(&report),
        [["sleep(Duration::from_secs(1)).await; // after"]]
    );
}

#[test]
fn a_boxed_future_under_a_time_limit_is_named() {
    let report = named(async || {
        let boxed: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(inner());
        timeout(Duration::from_secs(9), boxed)
            .await
            .expect("in time");
    });
    assert!(lines(&report)[0][0].contains("// one"), "{report}");
}
