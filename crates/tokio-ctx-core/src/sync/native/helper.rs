//! The helper threads: one that keeps the alarms that no runtime keeps, and those that run what
//! the alarms are for.
//!
//! Started when first needed. The keeper never runs foreign code, so nothing that a callback or
//! a waker does can hold up an alarm. That is done by runners: one as a rule, and one more
//! whenever those that are there have made no progress for [`STUCK`], so a callback that blocks
//! holds up the others for no longer than that. A runner that has had nothing to do for
//! [`IDLE`] ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::sync::clock::{self, NEVER};
use crate::sync::shield::shield;

type Job = Box<dyn FnOnce() + Send>;

/// How long the runners may make no progress before another one is started.
const STUCK: Duration = Duration::from_millis(10);

/// How long a runner waits for more to do.
const IDLE: Duration = Duration::from_secs(10);

struct Queue {
    /// By deadline, then by the order of arrival.
    alarms: BTreeMap<(u64, u64), Waker>,
    next_id: u64,
    /// When the keeper looks again by itself. Only an earlier alarm has to wake it; one that is
    /// taken out does not, and so a service whose requests all end in time rarely does.
    looks_at: u64,
    jobs: VecDeque<Job>,
    /// Jobs that were begun so far: how the keeper sees progress.
    begun: u64,
    /// Runners that wait for a job.
    idle: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    alarms: BTreeMap::new(),
    next_id: 0,
    looks_at: 0,
    jobs: VecDeque::new(),
    begun: 0,
    idle: 0,
});
/// For the keeper: an earlier alarm, or a job for which no runner waits.
static CHANGED: Condvar = Condvar::new();
/// For the runners: a job.
static WORK: Condvar = Condvar::new();
static STARTED: Once = Once::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(
    condvar: &Condvar,
    guard: MutexGuard<'static, Queue>,
    limit: Duration,
) -> MutexGuard<'static, Queue> {
    let waited = condvar.wait_timeout(guard, limit);
    waited.unwrap_or_else(PoisonError::into_inner).0
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
pub(crate) fn alarm(deadline: u64, waker: Waker) -> Alarm {
    start();
    let (key, is_early) = {
        let mut queue = queue();
        let key = (deadline, queue.next_id);
        queue.next_id += 1;
        queue.alarms.insert(key, waker);
        (key, deadline < queue.looks_at)
    };
    if is_early {
        CHANGED.notify_one();
    }
    Alarm { key }
}

/// Runs `job` on a runner.
pub(crate) fn defer(job: impl FnOnce() + Send + 'static) {
    start();
    let mut queue = queue();
    queue.jobs.push_back(Box::new(job));
    if queue.idle > 0 {
        WORK.notify_one();
    }
    // To start a runner, or to see to it that the one just woken gets on.
    CHANGED.notify_one();
}

fn start() {
    STARTED.call_once(|| {
        if let Err(error) = spawn("tokio-ctx-time", keep) {
            let _ = shield(|| {
                tracing::error!(
                    %error,
                    "no thread for deadlines that no runtime watches: they are seen only when asked for"
                );
            });
        }
    });
}

fn spawn(name: &str, run: fn()) -> std::io::Result<()> {
    let builder = std::thread::Builder::new().name(name.into());
    builder.spawn(run).map(drop)
}

/// The keeper: hands what is due to the runners, and sees to it that there are some.
fn keep() {
    let mut guard = queue();
    // What the runners had begun when they last made progress, and when that was.
    let mut seen: Option<(u64, u64)> = None;
    loop {
        let now = clock::now();
        let later = guard.alarms.split_off(&(now.saturating_add(1), 0));
        let due = std::mem::replace(&mut guard.alarms, later);
        for waker in due.into_values() {
            guard.jobs.push_back(Box::new(move || waker.wake()));
        }
        let next = guard.alarms.first_key_value();
        guard.looks_at = next.map_or(NEVER, |((deadline, _), _)| *deadline);
        let until_next = Duration::from_nanos(guard.looks_at - now);
        if guard.jobs.is_empty() {
            seen = None;
            guard = wait(&CHANGED, guard, until_next);
            continue;
        }
        let progress = seen.filter(|(begun, _)| *begun == guard.begun);
        let since = progress.map(|(_, at)| Duration::from_nanos(now.saturating_sub(at)));
        if guard.idle > 0 {
            WORK.notify_one();
        } else if seen.is_none() || since.is_some_and(|since| since >= STUCK) {
            // Without a thread the jobs wait, and the next look tries again.
            let _ = spawn("tokio-ctx-run", run);
        }
        if since.is_none_or(|since| since >= STUCK) {
            seen = Some((guard.begun, now));
        }
        let pause = until_next.min(STUCK);
        guard.looks_at = clock::later(now, pause);
        guard = wait(&CHANGED, guard, pause);
    }
}

fn run() {
    let mut guard = queue();
    loop {
        if let Some(job) = guard.jobs.pop_front() {
            guard.begun += 1;
            drop(guard);
            job();
            guard = queue();
            continue;
        }
        guard.idle += 1;
        guard = wait(&WORK, guard, IDLE);
        guard.idle -= 1;
        if guard.jobs.is_empty() {
            return;
        }
    }
}
