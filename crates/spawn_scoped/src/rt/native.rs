//! Work on tokio.

use std::any::Any;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

pub(crate) use tokio::task::AbortHandle;

/// What the runtime says about a task that it no longer runs.
pub(crate) enum Joined<T> {
    /// It ran to its end.
    Ended(T),
    /// Its future was dropped before that.
    Dropped,
    /// Something of it panicked outside the poll that is guarded.
    Panicked(Box<dyn Any + Send>),
}

/// Awaits one task.
#[derive(Debug)]
pub(crate) struct JoinHandle<T>(tokio::task::JoinHandle<T>);

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.0.abort_handle()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn poll_joined(&mut self, cx: &mut Context<'_>) -> Poll<Joined<T>> {
        Pin::new(&mut self.0).poll(cx).map(|joined| match joined {
            Ok(value) => Joined::Ended(value),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => Joined::Panicked(payload),
                Err(_) => Joined::Dropped,
            },
        })
    }
}

/// A number that no other task has while this one is known to the runtime.
pub(crate) fn id_of(task: &AbortHandle) -> u64 {
    // tokio shows the number of an id as its text only.
    task.id().to_string().parse().unwrap_or_default()
}

/// Whether a runtime is there to take a task.
#[inline]
pub(crate) fn is_running() -> bool {
    // Inside a task the answer costs no count of the runtime's.
    tokio::task::try_id().is_some() || Handle::try_current().is_ok()
}

#[inline]
#[track_caller]
pub(crate) fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    JoinHandle(tokio::spawn(work))
}

#[track_caller]
pub(crate) fn spawn_local<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    JoinHandle(tokio::task::spawn_local(work))
}

#[track_caller]
pub(crate) fn spawn_blocking<T, F>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    JoinHandle(tokio::task::spawn_blocking(work))
}

/// A moment in whole milliseconds, for ages that are shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

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
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The same as a number that is never 0.
    pub(crate) fn get(self) -> u64 {
        self.0.saturating_add(1)
    }

    /// The inverse of `get`.
    pub(crate) fn from_raw(raw: u64) -> Self {
        Self(raw.saturating_sub(1))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(Self::now().0.saturating_sub(self.0))
    }
}

/// How many waits only yield before a scope registers with its context. With
/// two workers, the owner is often back before the last of a few tasks is done.
pub(crate) const YIELDS: u8 = 3;

/// Yields until the others have had a turn; `left` yields are left after this one.
///
/// tokio keeps tasks that yield back until nobody else is ready, and wakes those last kept
/// first. So the owner queues up behind tasks that are ready, is then kept back with those that
/// yielded, and queues up behind them when all are woken.
pub(crate) fn yield_once(cx: &mut Context<'_>, left: u8) {
    if left % 2 == 1 {
        let _pending = pin!(tokio::task::yield_now()).poll(cx);
    } else {
        cx.waker().wake_by_ref();
    }
}
