//! Work on a checker's threads: one per task, so that a model sees every order, unless it asks
//! for fewer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::gone::Gone;
use super::pool;
use super::queued::Job;
use crate::sync::Mutex;

/// Whether a task is over, and the wakers that wait for it.
struct End {
    state: Mutex<State>,
}

struct State {
    finished: bool,
    waker: Option<Waker>,
    aborted: bool,
    /// Of the task itself, where tasks can be aborted.
    task: Option<Waker>,
}

impl End {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                finished: false,
                waker: None,
                aborted: false,
                task: None,
            }),
        })
    }

    fn abort(&self) {
        let task = {
            let mut state = self.state.lock();
            state.aborted = true;
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    fn reach(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.finished = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_reached(&self) -> bool {
        self.state.lock().finished
    }
}

/// A value on its way. The lock is std's, and nobody ever waits for it: the
/// end, which the checker sees, says when the value is there.
type Slot<T> = Arc<std::sync::Mutex<Option<T>>>;

/// Twin of tokio's.
#[derive(Clone)]
pub(crate) struct TaskHandle(Arc<End>);

impl TaskHandle {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_reached()
    }

    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

/// A number that no other task has while this one is known.
pub(crate) fn id_of(task: &TaskHandle) -> u64 {
    Arc::as_ptr(&task.0).addr() as u64
}

impl std::fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaskHandle")
    }
}

/// Twin of the native one.
pub(crate) struct Running<T> {
    end: Arc<End>,
    value: Slot<T>,
}

impl<T> Running<T> {
    pub(crate) fn is_finished(&self) -> bool {
        self.end.is_reached()
    }

    pub(crate) fn abort_handle(&self) -> TaskHandle {
        TaskHandle(self.end.clone())
    }

    pub(crate) fn poll_joined(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Gone>> {
        let mine = cx.waker().clone();
        let _old = {
            let mut state = self.end.state.lock();
            if state.finished {
                drop(state);
                let value = self.value.lock().ok().and_then(|mut value| value.take());
                return Poll::Ready(value.ok_or(Gone::Dropped));
            }
            state.waker.replace(mine)
        };
        Poll::Pending
    }
}

pub(crate) fn is_running() -> bool {
    true
}

/// Loom itself does not ask for `Send`; the bounds are those of the native twin.
pub(crate) fn spawn<F>(work: F) -> Running<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (promise, promised) = promise();
    let end = promised.0.end.clone();
    pool::run(move |aborts| match aborts {
        false => Box::pin(async move { promise.keep(work.await) }),
        true => Box::pin(async move {
            if let Some(result) = unless_aborted(&end, work).await {
                promise.keep(result);
            }
        }),
    });
    promised.0
}

/// Drops `work` at the first poll after an abort, as tokio does.
async fn unless_aborted<F: Future>(end: &End, work: F) -> Option<F::Output> {
    let mut work = pin!(Some(work));
    poll_fn(|cx| {
        let mine = cx.waker().clone();
        let is_aborted = {
            let mut state = end.state.lock();
            state.task = Some(mine);
            state.aborted
        };
        if is_aborted {
            work.set(None);
        }
        match work.as_mut().as_pin_mut() {
            Some(work) => work.poll(cx).map(Some),
            None => Poll::Ready(None),
        }
    })
    .await
}

pub(crate) fn spawn_local<F>(_work: F) -> Running<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    panic!("a local task has no thread of its own, so a model has none")
}

/// Twin of the native one. Where tasks share threads, jobs queue up behind each other.
pub(crate) fn spawn_blocking(job: Arc<Job>) {
    pool::run(|_aborts| Box::pin(async move { job.begin() }));
}

/// Twin of the native one.
pub(crate) struct Promise<T> {
    end: Arc<End>,
    value: Slot<T>,
}

/// Twin of the native one.
pub(crate) struct Promised<T>(Running<T>);

pub(crate) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let (end, value) = (End::new(), Slot::default());
    let promise = Promise {
        end: end.clone(),
        value: Arc::clone(&value),
    };
    (promise, Promised(Running { end, value }))
}

impl<T> Promised<T> {
    pub(crate) fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_joined(cx).map(Result::ok)
    }
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, result: T) {
        if let Ok(mut value) = self.value.lock() {
            *value = Some(result);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.end.reach();
    }
}

/// Twin of the native one. Ages decide nothing, so a model's clock stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    pub(crate) fn now() -> Self {
        Self(1)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}

/// Twin of the native one. Reports decide nothing, so a model has none.
pub(crate) fn after_report_period(_job: impl FnOnce() + Send + 'static) -> Reminder {
    Reminder
}

/// Twin of the native one.
pub(crate) struct Reminder;

/// Twin of the native one.
pub(crate) fn set_report_period(_period: Duration) {}
