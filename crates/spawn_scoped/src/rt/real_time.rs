//! Jobs after a pause of real time, whatever runtime asks for them and whatever its clock says.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::catch;

type Job = Box<dyn FnOnce() + Send>;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

struct Queue {
    /// By the time they are due, then by the order of arrival.
    jobs: BTreeMap<(Instant, u64), Job>,
    next_id: u64,
    /// Whether the thread is there. It ends when nothing is expected.
    is_served: bool,
    /// When the thread looks again of its own accord.
    looks_at: Option<Instant>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    jobs: BTreeMap::new(),
    next_id: 0,
    is_served: false,
    looks_at: None,
});
static CHANGED: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job that is expected. Dropping it takes the job back.
pub(crate) struct Reminder((Instant, u64));

impl Drop for Reminder {
    fn drop(&mut self) {
        let job = queue().jobs.remove(&self.0);
        // Outside the lock.
        drop(job);
    }
}

/// Runs `job` on the thread after `pause`, unless there is no thread to be had.
pub(super) fn after(pause: Duration, job: Job) -> Reminder {
    let now = Instant::now();
    let due = now.checked_add(pause).unwrap_or(now + YEAR);
    let mut queue = queue();
    let key = (due, queue.next_id);
    queue.next_id += 1;
    queue.jobs.insert(key, job);
    if queue.is_served {
        // Jobs are mostly taken back in time: it is woken for none that can wait until it looks.
        if queue.looks_at.is_some_and(|at| due < at) {
            CHANGED.notify_one();
        }
        return Reminder(key);
    }
    let thread = std::thread::Builder::new().name("spawn_scoped".into());
    queue.is_served = thread.spawn(serve).is_ok();
    Reminder(key)
}

fn serve() {
    let mut guard = queue();
    loop {
        let Some((&(due, _), _)) = guard.jobs.first_key_value() else {
            guard.is_served = false;
            return;
        };
        let now = Instant::now();
        if due > now {
            guard.looks_at = Some(due);
            let waited = CHANGED.wait_timeout(guard, due - now);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            guard.looks_at = None;
            continue;
        }
        let job = guard.jobs.pop_first();
        drop(guard);
        // A panic of foreign code must not end the thread that others rely on.
        let _ = catch(|| job.map(|(_, job)| job()));
        guard = queue();
    }
}
