//! The example programs under `cut-points`: their callers go away, or are cancelled, at every point.

use std::sync::Mutex;
use std::time::Duration;

use cut_points::{Cut, Outcome, Report, world};
use tokio::sync::mpsc;
use tokio_ctx::{Cancelled, Context};
use tokio_util::sync::CancellationToken;

use self::worker::Done;

#[path = "../../examples/pipeline.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod pipeline;
#[path = "../../examples/throttled.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod throttled;
#[path = "../../examples/worker.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod worker;
#[path = "../../examples/worker_by_hand.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod worker_by_hand;

/// All cuts end in one of two ways, and some cuts really cut.
pub(crate) fn assert_cancelled_or_finished(report: &Report) {
    report.assert_ok();
    let all = || report.cuts().iter().map(Cut::outcome);
    let orderly = |end: &Outcome| matches!(end, Outcome::Cancelled | Outcome::Finished);
    assert!(all().all(orderly), "{report}");
    assert!(all().any(|end| *end == Outcome::Cancelled), "{report}");
}

#[test]
fn a_pipeline_that_is_cancelled_or_dropped_anywhere_leaves_no_stage() {
    let cancelled = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        pipeline::squares_until(ctx, 50).await.map(drop)
    });
    assert_cancelled_or_finished(&cancelled);
    let dropped = world(async || ()).drop_everywhere(async |()| {
        let read = pipeline::squares_until(&Context::background(), 50).await;
        read.map(drop)
    });
    dropped.assert_ok();
    assert!(dropped.points() >= 5, "{dropped}");
}

#[test]
fn uploads_that_are_cancelled_or_dropped_anywhere_leave_none_under_way() {
    let cancelled = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        throttled::upload_all(ctx, 12, usize::MAX).await.map(drop)
    });
    assert_cancelled_or_finished(&cancelled);
    let dropped = world(async || ()).drop_everywhere(async |()| {
        let all = throttled::upload_all(&Context::background(), 12, usize::MAX).await;
        all.map(drop)
    });
    dropped.assert_ok();
}

/// Three messages in a queue whose sender has gone, and what is done of them.
struct Queue<J> {
    jobs: Mutex<Option<mpsc::Receiver<J>>>,
    done: Done,
}

impl<J> Queue<J> {
    /// Fills it with messages made of an id, a number of tries that fail, and how long each takes.
    fn filled(job: fn(u32, u32, Duration) -> J) -> Queue<J> {
        let (sender, jobs) = mpsc::channel(3);
        for id in 10..13 {
            let job = job(id, id - 10, Duration::from_millis(20));
            assert!(sender.try_send(job).is_ok(), "there is room");
        }
        Queue {
            jobs: Mutex::new(Some(jobs)),
            done: Done::default(),
        }
    }

    fn take(&self) -> mpsc::Receiver<J> {
        self.jobs.lock().unwrap().take().expect("once a run")
    }

    fn assert_none_is_done_twice(&self) {
        let mut done = self.done.lock().unwrap().clone();
        done.sort_unstable();
        let all = done.len();
        done.dedup();
        assert_eq!(done.len(), all, "a message was done twice");
    }
}

const DEADLINE: Duration = Duration::from_secs(2);

#[test]
fn a_worker_that_is_cancelled_anywhere_drains_what_it_has_begun() {
    let job = |id, tries, takes| worker::Job {
        id,
        deadline: DEADLINE,
        tries,
        takes,
    };
    let report = world(async move || Queue::filled(job))
        .once()
        .check(async |queue: &Queue<_>| queue.assert_none_is_done_twice())
        .cancel_everywhere(async |queue: &Queue<_>, ctx: &Context| {
            let end: Result<(), Cancelled> = worker::work_off(ctx, queue.take(), &queue.done).await;
            end
        });
    report.assert_ok();
    assert!(report.points() >= 5, "{report}");
}

#[test]
fn a_worker_by_hand_that_is_cancelled_anywhere_drains_what_it_has_begun() {
    let job = |id, tries, takes| worker_by_hand::Job {
        id,
        deadline: DEADLINE,
        tries,
        takes,
    };
    let report = world(async move || Queue::filled(job))
        .once()
        .check(async |queue: &Queue<_>| queue.assert_none_is_done_twice())
        .cancel_everywhere(async |queue: &Queue<_>, stop: &CancellationToken| {
            worker_by_hand::work_off(stop, queue.take(), &queue.done).await;
        });
    report.assert_ok();
    assert!(report.points() >= 5, "{report}");
}
