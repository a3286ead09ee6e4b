//! The example programs under `cut-points`: their callers go away, or are cancelled, at every point.

use std::sync::Mutex;
use std::time::Duration;

use cut_points::{Cut, Outcome, Report, world};
use tokio::sync::mpsc;
use tokio_ctx::{Cancelled, Context};

use self::worker::{Done, Job};

#[path = "../../examples/pipeline.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod pipeline;
#[path = "../../examples/throttled.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod throttled;
#[path = "../../examples/worker.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod worker;

/// All cuts end in one of two ways, and some cuts really cut.
fn assert_cancelled_or_finished(report: &Report) {
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
struct Queue {
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
    done: Done,
}

async fn queue() -> Queue {
    let (sender, jobs) = mpsc::channel(3);
    for id in 10..13 {
        let job = Job {
            id,
            deadline: Duration::from_secs(2),
            tries: id - 10,
            takes: Duration::from_millis(20),
        };
        sender.try_send(job).expect("there is room");
    }
    Queue {
        jobs: Mutex::new(Some(jobs)),
        done: Done::default(),
    }
}

#[test]
fn a_worker_that_is_cancelled_anywhere_drains_what_it_has_begun() {
    let report = world(queue)
        .once()
        .check(async |queue: &Queue| {
            let mut done = queue.done.lock().unwrap().clone();
            done.sort_unstable();
            let once = done.len();
            done.dedup();
            assert_eq!(done.len(), once, "a message was done twice");
        })
        .cancel_everywhere(async |queue: &Queue, ctx: &Context| {
            let jobs = queue.jobs.lock().unwrap().take().expect("once a run");
            let end: Result<(), Cancelled> = worker::work_off(ctx, jobs, &queue.done).await;
            end
        });
    report.assert_ok();
    assert!(report.points() >= 5, "{report}");
}
