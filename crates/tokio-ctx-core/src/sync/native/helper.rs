//! The helper thread: deadlines that no runtime watches, and callbacks that nobody else may
//! run.
//!
//! Started when first needed and kept for the life of the process. A program whose contexts
//! are only waited for inside tokio never starts it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::{clock, shield};

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    /// By deadline, then by the order of arrival.
    alarms: BTreeMap<(u64, u64), Waker>,
    jobs: Vec<Job>,
    next_id: u64,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    alarms: BTreeMap::new(),
    jobs: Vec::new(),
    next_id: 0,
});
static CHANGED: Condvar = Condvar::new();
static STARTED: Once = Once::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry in the queue. Dropping it takes the entry out.
pub(crate) struct Alarm {
    key: (u64, u64),
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = queue().alarms.remove(&self.key);
        // Dropped here, outside the lock: it may be the last to know a context.
        drop(waker);
    }
}

/// Wakes `waker` at `deadline`, by the system's clock.
pub(crate) fn alarm(deadline: u64, waker: Waker) -> Option<Alarm> {
    start();
    let key = {
        let mut queue = queue();
        let key = (deadline, queue.next_id);
        queue.next_id += 1;
        queue.alarms.insert(key, waker);
        key
    };
    CHANGED.notify_one();
    Some(Alarm { key })
}

/// Runs `job` on the helper thread.
pub(crate) fn defer(job: impl FnOnce() + Send + 'static) {
    start();
    queue().jobs.push(Box::new(job));
    CHANGED.notify_one();
}

fn start() {
    STARTED.call_once(|| {
        let spawned = std::thread::Builder::new()
            .name("tokio-ctx".into())
            .spawn(serve);
        if let Err(error) = spawned {
            tracing::error!(
                %error,
                "no thread for deadlines that no runtime watches: they are seen only when asked for"
            );
        }
    });
}

fn serve() {
    let mut guard = queue();
    loop {
        let now = clock::now();
        let jobs = std::mem::take(&mut guard.jobs);
        let later = guard.alarms.split_off(&(now.saturating_add(1), 0));
        let due = std::mem::replace(&mut guard.alarms, later);
        if jobs.is_empty() && due.is_empty() {
            guard = match guard.alarms.first_key_value() {
                None => CHANGED.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(((deadline, _), _)) => {
                    let pause = Duration::from_nanos(deadline - now);
                    CHANGED
                        .wait_timeout(guard, pause)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            continue;
        }
        drop(guard);
        // A panic of foreign code must not end the thread that others rely on.
        for job in jobs {
            let _ = shield(job);
        }
        for waker in due.into_values() {
            let _ = shield(|| waker.wake());
        }
        guard = queue();
    }
}
