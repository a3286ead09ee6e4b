//! What the example `worker` does, by hand: with a token, a semaphore and a tracker.
//!
//! Run: `cargo run -p examples --example worker_by_hand`

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    Stopped,
    Deadline,
}

pub(crate) type Done = Arc<Mutex<Vec<u32>>>;

pub(crate) async fn work_off(stop: &CancellationToken, mut jobs: mpsc::Receiver<Job>, done: &Done) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    // What stops the jobs is not what stops the intake: the jobs have the drain besides.
    let cut = CancellationToken::new();
    let tracker = TaskTracker::new();
    let mut aborts = Vec::new();
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            slot = slots.clone().acquire_owned() => match slot {
                Ok(slot) => slot,
                Err(_) => break,
            },
        };
        let job = tokio::select! {
            () = stop.cancelled() => break,
            job = jobs.recv() => match job {
                Some(job) => job,
                None => break,
            },
        };
        let (cut, done) = (cut.clone(), done.clone());
        let task = tracker.spawn(async move {
            let _slot = slot;
            match retry(&cut, Instant::now() + job.deadline, job).await {
                Ok(()) => done.lock().unwrap().push(job.id),
                Err(JobError::Stopped) => {}
                Err(error) => println!("job {} failed: {error:?}", job.id),
            }
        });
        aborts.push(task.abort_handle());
        aborts.retain(|task| !task.is_finished());
    }
    tracker.close();
    // The queue may have ended before the stop.
    tokio::select! {
        () = tracker.wait() => return,
        () = stop.cancelled() => {}
    }
    if timeout(DRAIN, tracker.wait()).await.is_err() {
        cut.cancel();
        if timeout(GRACE, tracker.wait()).await.is_err() {
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
            tracker.wait().await;
        }
    }
}

async fn retry(cut: &CancellationToken, by: Instant, mut job: Job) -> Result<(), JobError> {
    let mut pause = Duration::from_millis(50);
    loop {
        let half = by.saturating_duration_since(Instant::now()) / 2;
        if half < Duration::from_millis(20) {
            return Err(JobError::Deadline);
        }
        let one = timeout(half, attempt(&mut job));
        match cut.run_until_cancelled(one).await {
            None => return Err(JobError::Stopped),
            Some(Ok(Ok(()))) => return Ok(()),
            Some(Ok(Err(_)) | Err(_)) => {}
        }
        let wait = pause.min(by.saturating_duration_since(Instant::now()));
        if cut.run_until_cancelled(sleep(wait)).await.is_none() {
            return Err(JobError::Stopped);
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
    let stop = CancellationToken::new();
    let (sender, jobs) = mpsc::channel(64);
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(3600));
    for (id, deadline, tries, takes) in [
        (1, short, 0, Duration::from_millis(200)),
        (2, short, 2, Duration::from_millis(200)),
        (3, short, 0, Duration::from_millis(200)),
        (4, short, 99, Duration::from_millis(200)),
        (5, long, 0, Duration::from_secs(8)),
        (6, long, 0, long),
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
    let begun = Instant::now();
    let stopper = stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        stopper.cancel();
    });
    work_off(&stop, jobs, &done).await;
    assert_eq!(*done.lock().unwrap(), [1, 2, 5]);
    assert_eq!(begun.elapsed(), Duration::from_secs(3) + DRAIN);
    println!(
        "done: {:?} after {:?}",
        done.lock().unwrap(),
        begun.elapsed()
    );
}
