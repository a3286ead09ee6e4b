//! Work on loom threads: one thread per task, so that a model sees every order.

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::sync::Mutex;

/// Twin of the std one. In a model nothing drops a task, and a panic fails the
/// model, so only the first variant is ever made.
#[allow(dead_code, reason = "the variants of the std twin")]
pub(crate) enum Joined<T> {
    Ended(T),
    Dropped,
    Panicked(Box<dyn Any + Send>),
}

struct Cell<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<T>,
    finished: bool,
    waker: Option<Waker>,
}

/// What the ledger asks of a cell, whatever its value.
trait Finishes: Send + Sync {
    fn is_finished(&self) -> bool;
}

impl<T: Send> Finishes for Cell<T> {
    fn is_finished(&self) -> bool {
        self.state.lock().finished
    }
}

impl<T> Cell<T> {
    fn new() -> Arc<Self> {
        let state = State {
            value: None,
            finished: false,
            waker: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    fn finish(&self, value: T) {
        let waker = {
            let mut state = self.state.lock();
            state.value = Some(value);
            state.finished = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Twin of tokio's. A loom thread cannot be dropped from outside, so abort is
/// not part of any model.
#[derive(Clone)]
pub(crate) struct AbortHandle(Arc<dyn Finishes>);

impl AbortHandle {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn abort(&self) {}
}

impl std::fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AbortHandle")
    }
}

/// Twin of the std one.
pub(crate) struct JoinHandle<T>(Arc<Cell<T>>);

impl<T> std::fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinHandle")
    }
}

impl<T> JoinHandle<T> {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.state.lock().finished
    }

    pub(crate) fn poll_joined(&mut self, cx: &mut Context<'_>) -> Poll<Joined<T>> {
        let mine = cx.waker().clone();
        let _old = {
            let mut state = self.0.state.lock();
            if let Some(value) = state.value.take() {
                drop(state);
                return Poll::Ready(Joined::Ended(value));
            }
            state.waker.replace(mine)
        };
        Poll::Pending
    }
}

impl<T: Send + 'static> JoinHandle<T> {
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        AbortHandle(self.0.clone())
    }
}

pub(crate) fn is_running() -> bool {
    true
}

/// Loom itself does not ask for `Send`; the bounds are those of the std twin.
pub(crate) fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    spawn_blocking(move || loom::future::block_on(Box::pin(work)))
}

pub(crate) fn spawn_local<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    let _ = pin!(work);
    panic!("a local task has no thread of its own, so there is none in a loom model")
}

pub(crate) fn spawn_blocking<T, F>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let cell = Cell::new();
    let task = cell.clone();
    loom::thread::spawn(move || task.finish(work()));
    JoinHandle(cell)
}

/// Twin of the std one. Ages decide nothing, so a model's clock stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(crate) fn now() -> Self {
        Self(0)
    }

    pub(crate) fn get(self) -> u64 {
        self.0 + 1
    }

    pub(crate) fn from_raw(raw: u64) -> Self {
        Self(raw - 1)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}
