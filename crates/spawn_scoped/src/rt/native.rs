//! Work on tokio.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use super::gone::Gone;
use super::queued::Job;
use super::real_time;
use crate::foreign::quietly;

pub(crate) use super::real_time::Reminder;

pub(crate) use tokio::task::AbortHandle as TaskHandle;

/// Awaits one task.
pub(crate) struct Running<T>(tokio::task::JoinHandle<T>);

impl<T> Running<T> {
    #[inline]
    pub(crate) fn abort_handle(&self) -> TaskHandle {
        self.0.abort_handle()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn poll_joined(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Gone>> {
        // A spent budget would register nothing but a turn of tokio's scheduler, which may not
        // come: the poll can be under another executor.
        let joined = Pin::new(&mut unconstrained(&mut self.0)).poll(cx);
        joined.map_err(|error| {
            let panic = error.try_into_panic();
            panic.map_or(Gone::Dropped, Gone::Panicked)
        })
    }
}

/// Where the value of a job goes. Dropped without one, the job counts as dropped.
pub(crate) struct Promise<T>(oneshot::Sender<T>);

/// Where it comes from.
pub(crate) struct Promised<T>(oneshot::Receiver<T>);

pub(crate) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let (promise, promised) = oneshot::channel();
    (Promise(promise), Promised(promised))
}

impl<T> Promised<T> {
    /// The value, or `None` once there will be none.
    pub(crate) fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // As above.
        Pin::new(&mut unconstrained(&mut self.0))
            .poll(cx)
            .map(Result::ok)
    }
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, value: T) {
        // Nobody need wait for it. The waker is foreign.
        quietly(|| self.0.send(value));
    }
}

/// A number that no other task has while this one is known to the runtime.
pub(crate) fn id_of(task: &TaskHandle) -> u64 {
    // tokio shows the number of an id as its text only.
    task.id().to_string().parse().unwrap_or_default()
}

/// Whether a runtime is there to take a task.
#[inline]
pub(crate) fn is_running() -> bool {
    // The id of a task says less: a task of a `LocalSet` has one without a runtime.
    Handle::try_current().is_ok()
}

#[inline]
#[track_caller]
pub(crate) fn spawn<F>(work: F) -> Running<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Running(tokio::spawn(work))
}

#[track_caller]
pub(crate) fn spawn_local<F>(work: F) -> Running<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    Running(tokio::task::spawn_local(work))
}

/// Queues a job on the blocking pool, which holds it; its value comes from elsewhere.
#[track_caller]
pub(crate) fn spawn_blocking(job: Arc<Job>) {
    drop(tokio::task::spawn_blocking(move || job.begin()));
}

/// A moment in whole milliseconds, and never 0, for ages that are shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    pub(crate) fn now() -> Self {
        // An hour of slack: a paused clock may stand a little before the
        // moment at which this process first asked.
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(|| {
            let now = std::time::Instant::now();
            now.checked_sub(Duration::from_secs(3600))
                .unwrap_or(now)
                .into()
        });
        let since = Instant::now().saturating_duration_since(*epoch);
        Self(u64::try_from(since.as_millis()).map_or(u64::MAX, |millis| millis.max(1)))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(Self::now().0.saturating_sub(self.0))
    }
}

/// Sees to a job after the period of reports, by real time. On a thread that lives as long as one
/// is expected.
pub(crate) fn after_report_period(job: impl FnOnce() + Send + 'static) -> Reminder {
    real_time::after(report_period(), Box::new(job))
}

/// Milliseconds between two reports.
static REPORT_PERIOD: AtomicU64 = AtomicU64::new(5_000);

fn report_period() -> Duration {
    Duration::from_millis(REPORT_PERIOD.load(Ordering::Relaxed))
}

pub(crate) fn set_report_period(period: Duration) {
    let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    REPORT_PERIOD.store(millis, Ordering::Relaxed);
}
