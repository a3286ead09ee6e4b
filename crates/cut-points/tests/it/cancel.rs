//! Cancelling a call: what becomes of it, and who does not look.

use std::cell::Cell;
use std::time::Duration;

use cut_points::{FaultKind, Outcome, world};
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_ctx::{Cancelled, Context};
use tokio_util::sync::CancellationToken;

/// `Err` when cancelled.
async fn wait(token: &CancellationToken, time: Duration) -> Result<(), &'static str> {
    tokio::select! {
        biased;
        () = token.cancelled() => Err("cancelled"),
        () = sleep(time) => Ok(()),
    }
}

#[test]
fn a_call_that_looks_at_each_await_is_clean() {
    let report =
        world(async || ()).cancel_everywhere(async |(): &(), token: &CancellationToken| {
            wait(token, Duration::from_secs(60)).await?;
            wait(token, Duration::from_secs(60)).await
        });
    report.assert_ok();
    assert!(report.points() >= 2);
    for cut in report.cuts() {
        assert_eq!(cut.outcome(), &Outcome::Failed("\"cancelled\"".to_owned()));
    }
}

#[test]
fn a_call_that_does_not_look_is_deaf_and_the_await_is_named() {
    let report =
        world(async || ()).cancel_everywhere(async |(): &(), token: &CancellationToken| {
            wait(token, Duration::from_secs(1)).await?;
            sleep(Duration::from_secs(300)).await; // deaf
            wait(token, Duration::from_secs(1)).await
        });
    assert!(!report.is_ok());
    for cut in report.failures() {
        assert_eq!(cut.outcome(), &Outcome::Deaf);
        let fault = &cut.faults()[0];
        assert_eq!(fault.kind(), FaultKind::Deaf);
        assert!(
            fault
                .text()
                .contains("went on for more than 1s after it was cancelled")
        );
        let source = cut.places()[0].frames()[0].source().expect("it is here");
        assert!(source.contains("// deaf"), "{report}");
    }
    world(async || ())
        .ends_within(Duration::from_secs(301))
        .cancel_everywhere(async |(): &(), _: &CancellationToken| {
            sleep(Duration::from_secs(300)).await;
        })
        .assert_ok();
}

#[test]
fn a_call_that_tries_again_for_ever_hangs() {
    let report =
        world(async || ()).cancel_everywhere(async |(): &(), token: &CancellationToken| {
            while wait(token, Duration::from_millis(1)).await.is_err() {
                yield_now().await;
            }
        });
    assert!(
        report
            .failures()
            .all(|cut| cut.outcome() == &Outcome::Hangs),
        "{report}"
    );
    assert!(report.failures().next().is_some());
    assert!(
        report
            .to_string()
            .contains("was polled more than 10000 times"),
        "{report}"
    );
}

#[test]
fn a_call_may_finish_although_it_was_cancelled() {
    let report = world(async || ()).cancel_everywhere(async |(): &(), _: &CancellationToken| {
        sleep(Duration::from_millis(5)).await;
    });
    report.assert_ok();
    assert!(
        report
            .cuts()
            .iter()
            .all(|cut| cut.outcome() == &Outcome::Finished)
    );
}

#[test]
fn a_clean_up_that_is_cancelled_too_is_found() {
    let report = world(async || Cell::new(false))
        .check(async |locked: &Cell<bool>| assert!(!locked.get(), "still locked"))
        .cancel_everywhere(async |locked: &Cell<bool>, token: &CancellationToken| {
            locked.set(true);
            let worked = wait(token, Duration::from_millis(3)).await;
            wait(token, Duration::from_millis(1)).await?; // the answer to "unlock"
            locked.set(false);
            worked
        });
    assert!(report.failures().count() >= 2, "{report}");
    assert!(report.to_string().contains("still locked"));
}

#[test]
fn an_error_of_a_context_that_was_cancelled_is_told_from_others() {
    #[derive(Debug)]
    enum Failure {
        Stopped(#[expect(dead_code, reason = "printed")] Cancelled),
        Table,
    }
    let report = world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        ctx.run(sleep(Duration::from_secs(60)))
            .await
            .map_err(Failure::Stopped)?;
        ctx.run(sleep(Duration::from_secs(60)))
            .await
            .map_err(|_| Failure::Table)
    });
    report.assert_ok();
    let outcomes: Vec<_> = report.cuts().iter().map(cut_points::Cut::outcome).collect();
    assert_eq!(outcomes[0], &Outcome::Cancelled);
    assert_eq!(outcomes.last(), Some(&&Outcome::Failed("Table".to_owned())));
}
