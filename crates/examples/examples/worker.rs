//! Works off messages: a few at once, a deadline for each, retries within what remains of it, and
//! a drain at the end.
//!
//! Run: `cargo run -p examples --example worker`
//!
//! `worker_by_hand` does the same with a token, a semaphore and a tracker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_ctx::{Budget, Cancelled, Context, ScopeOptions};

const AT_ONCE: usize = 4;
const DRAIN: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) deadline: Duration,
    pub(crate) tries: u32,
    pub(crate) takes: Duration,
}

#[derive(Debug)]
enum JobError {
    Busy,
    Cancelled(Cancelled),
}

impl From<Cancelled> for JobError {
    fn from(cancelled: Cancelled) -> Self {
        JobError::Cancelled(cancelled)
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JobError::Busy => f.write_str("the database is busy"),
            JobError::Cancelled(why) => why.fmt(f),
        }
    }
}

pub(crate) type Done = Arc<Mutex<Vec<u32>>>;

pub(crate) async fn work_off(
    stop: &Context,
    mut jobs: mpsc::Receiver<Job>,
    done: &Done,
) -> Result<(), Cancelled> {
    let options = ScopeOptions::new().limit(AT_ONCE).drain(DRAIN).grace(GRACE);
    let run = options.run(stop, async |s| {
        // The slot before the message: none is taken off the queue and then held.
        while let Ok(slot) = s.slot().await {
            let Ok(Some(job)) = s.run(jobs.recv()).await else {
                break;
            };
            let done = done.clone();
            slot.isolated(async move |ctx| {
                retry(&ctx.with_timeout(job.deadline), job).await?;
                done.lock().unwrap().push(job.id);
                Ok(())
            });
        }
        Ok::<_, JobError>(())
    });
    match run.await {
        Err(JobError::Cancelled(why)) => Err(why),
        _ => Ok(()),
    }
}

async fn retry(ctx: &Context, mut job: Job) -> Result<(), JobError> {
    let mut pause = Duration::from_millis(50);
    loop {
        // Each try has half of what remains; with too little left it does not begin.
        let one = ctx.with_budget(Budget::fraction(0.5).at_least(Duration::from_millis(20)))?;
        match one.run(attempt(&mut job)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) | Err(_) => ctx.run(sleep(pause)).await?,
        }
        pause *= 2;
    }
}

async fn attempt(job: &mut Job) -> Result<(), JobError> {
    sleep(job.takes).await;
    assert!(job.id != 3, "a message that breaks its handler");
    match job.tries {
        0 => Ok(()),
        _ => {
            job.tries -= 1;
            Err(JobError::Busy)
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let stop = Context::background().with_cancel();
    let (sender, jobs) = mpsc::channel(64);
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(3600));
    for (id, deadline, tries, takes) in [
        (1, short, 0, Duration::from_millis(200)),
        (2, short, 2, Duration::from_millis(200)),
        (3, short, 0, Duration::from_millis(200)), // panics, and stops nobody else
        (4, short, 99, Duration::from_millis(200)), // is given up at its deadline
        (5, long, 0, Duration::from_secs(8)),      // the drain lets it end
        (6, long, 0, long),                        // and not this one
    ] {
        let job = Job {
            id,
            deadline,
            tries,
            takes,
        };
        sender.send(job).await.unwrap();
    }
    let done = Done::default();
    let begun = tokio::time::Instant::now();
    let handle = stop.handle();
    tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        handle.cancel_with("SIGTERM");
    });
    work_off(&stop, jobs, &done).await.unwrap();
    assert_eq!(*done.lock().unwrap(), [1, 2, 5]);
    assert_eq!(begun.elapsed(), Duration::from_secs(3) + DRAIN);
    println!(
        "done: {:?} after {:?}",
        done.lock().unwrap(),
        begun.elapsed()
    );
}
