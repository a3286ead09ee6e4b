//! Which thread of the checker runs a task: one each, or as many as a model asks for.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, platform};

pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The threads that share the tasks, one pool per execution.
struct Pool {
    /// `None` for a thread per task.
    threads: Option<usize>,
    /// Whether tasks can be aborted, which costs each poll a lock.
    aborts: bool,
    /// One per thread that was started; `None` once it ended.
    crews: Vec<Option<Crew>>,
    next: usize,
    /// Whether a thread without tasks ends. loom has no thread to spare for one that would
    /// replace it, so there it waits until the model is over.
    idle_may_end: bool,
}

/// The tasks of one thread that it has not seen yet.
struct Crew {
    arrived: Vec<Work>,
    waker: Option<Waker>,
}

/// Shared with the threads, which end after the statics of an execution do.
struct Owner(Arc<Mutex<Pool>>);

platform::lazy_static! {
    static ref POOL: Owner = Owner(Arc::new(Mutex::new(Pool {
        threads: None,
        aborts: false,
        crews: Vec::new(),
        next: 0,
        idle_may_end: cfg!(shuttle),
    })));
}

// loom drops statics at the end of the model's closure, and waits for the threads then. shuttle
// drops them when nothing may be touched any more.
#[cfg(loom)]
impl Drop for Owner {
    fn drop(&mut self) {
        // A model that failed is taken down from outside of it.
        if std::thread::panicking() {
            return;
        }
        let wakers: Vec<Waker> = {
            let mut pool = self.0.lock();
            pool.idle_may_end = true;
            let crews = pool.crews.iter_mut().flatten();
            crews.filter_map(|crew| crew.waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

pub(crate) fn set_threads(number: usize) {
    POOL.0.lock().threads = Some(number.max(1));
}

pub(crate) fn enable_abort() {
    POOL.0.lock().aborts = true;
}

/// Runs a task. The argument of `make` says whether the task must be one that can be aborted.
pub(super) fn run(make: impl FnOnce(bool) -> Work) {
    let (new, waker) = {
        let mut pool = POOL.0.lock();
        let work = make(pool.aborts);
        let Some(threads) = pool.threads else {
            drop(pool);
            return start(move || platform::future::block_on(work));
        };
        pool.place(work, threads)
    };
    if let Some(index) = new {
        let pool = Arc::clone(&POOL.0);
        start(move || serve(&pool, index));
    }
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Pool {
    /// Gives the work to a thread: a new one, which the caller starts, or one that the caller
    /// wakes.
    fn place(&mut self, work: Work, threads: usize) -> (Option<usize>, Option<Waker>) {
        let started = self.crews.len();
        if started >= threads {
            for turn in 0..started {
                let index = (self.next + turn) % started;
                if let Some(crew) = &mut self.crews[index] {
                    crew.arrived.push(work);
                    self.next = index + 1;
                    return (None, crew.waker.take());
                }
            }
        }
        self.crews.push(Some(Crew {
            arrived: vec![work],
            waker: None,
        }));
        (Some(started), None)
    }

    /// What arrived for a thread that has `left` unfinished tasks; `None` when it may end.
    fn arrived(&mut self, index: usize, left: usize, waker: &Waker) -> Option<Vec<Work>> {
        let crew = self.crews[index].as_mut()?;
        let arrived = std::mem::take(&mut crew.arrived);
        if arrived.is_empty() && left == 0 && self.idle_may_end {
            self.crews[index] = None;
            return None;
        }
        crew.waker = Some(waker.clone());
        Some(arrived)
    }
}

/// Runs the tasks of one thread, all of them at each wake-up.
fn serve(pool: &Mutex<Pool>, index: usize) {
    let mut tasks: Vec<Work> = Vec::new();
    platform::future::block_on(poll_fn(move |cx: &mut Context<'_>| {
        loop {
            let Some(arrived) = pool.lock().arrived(index, tasks.len(), cx.waker()) else {
                return Poll::Ready(());
            };
            let is_idle = arrived.is_empty() && tasks.is_empty();
            tasks.extend(arrived);
            tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
            if is_idle || !tasks.is_empty() {
                return Poll::Pending;
            }
        }
    }));
}

/// Starts a thread of the checker.
///
/// # Panics
///
/// In words that help, when loom has no thread left.
pub(super) fn start(work: impl FnOnce() + Send + 'static) {
    let started = catch_unwind(AssertUnwindSafe(|| platform::thread::spawn(work)));
    assert!(
        started.is_ok(),
        "a model of loom has five threads at most, the main one included, and does not use one \
         again: let the tasks share some with `spawn_scoped::model::set_task_threads(2)` at the \
         beginning of the model, or run it under shuttle"
    );
}
