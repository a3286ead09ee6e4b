//! What several modules need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_ctx_core::Cancelled;

/// Counts its live copies, to see that something was dropped.
#[derive(Debug, Default)]
pub(crate) struct Live(Arc<AtomicUsize>);

impl Live {
    pub(crate) fn token(&self) -> LiveToken {
        self.0.fetch_add(1, Ordering::SeqCst);
        LiveToken(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// One live thing.
#[derive(Debug)]
pub(crate) struct LiveToken(Arc<AtomicUsize>);

impl Drop for LiveToken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An error type as an application has it: not cloneable, no error trait.
#[derive(Debug, PartialEq)]
pub(crate) enum AppError {
    Stopped(String),
    Broken(&'static str),
}

impl From<Cancelled> for AppError {
    fn from(cancelled: Cancelled) -> Self {
        AppError::Stopped(cancelled.to_string())
    }
}

/// Runs the same test on a current-thread and on a multi-thread runtime.
pub(crate) fn on_both<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    current_thread().block_on(test());
    let pool = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    pool.block_on(async { tokio::spawn(test()).await.unwrap() });
}

pub(crate) fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `work`, but not for ever. On a paused clock, a hang is seen at
/// once: the clock advances when nothing else can happen.
pub(crate) async fn patiently<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it hangs")
}

/// Runs a test in the body of a current-thread runtime.
pub(crate) fn on_one_thread<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    current_thread().block_on(patiently(test()));
}

/// Runs a test in a task of a runtime with two workers.
pub(crate) fn on_two_workers<F>(test: impl FnOnce() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let test = patiently(test());
    workers(2).block_on(async { tokio::spawn(test).await.unwrap() });
}

/// Runs a test where time stands still unless everybody waits for it.
pub(crate) fn on_a_paused_clock<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(patiently(test()));
}

/// Drops a runtime, of each flavour, as soon as the work in one of its tasks
/// says that it is in the middle.
pub(crate) fn shut_down_around<F>(work: impl Fn(Started) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for runtime in [current_thread(), workers(2)] {
        let middle = Started::default();
        let work = work(middle.clone());
        let unfinished = runtime.spawn(work);
        runtime.block_on(patiently(middle.all(1)));
        assert!(!unfinished.is_finished());
        drop(runtime);
        // Dropped where it was, and no panic on the way.
        let dropped = current_thread().block_on(patiently(unfinished));
        assert!(dropped.unwrap_err().is_cancelled());
    }
}

fn workers(num: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(num)
        .enable_all()
        .build()
        .unwrap()
}

/// A runtime whose tasks are awaited from another one, and that goes away
/// before they are done.
pub(crate) struct Doomed(tokio::runtime::Runtime);

impl Doomed {
    pub(crate) fn new() -> Self {
        Self(workers(1))
    }

    /// What `spawn` spawns goes to this runtime.
    pub(crate) fn inside<T>(&self, spawn: impl FnOnce() -> T) -> T {
        let _inside = self.0.enter();
        spawn()
    }

    /// For who spawns on it by hand.
    pub(crate) fn handle(&self) -> tokio::runtime::Handle {
        self.0.handle().clone()
    }

    /// Drops the runtime, on a thread of its own because that blocks.
    pub(crate) fn shut_down(self) {
        std::thread::spawn(move || drop(self)).join().unwrap();
    }
}

/// Counts who has started.
#[derive(Clone, Debug)]
pub(crate) struct Started(Arc<Semaphore>);

impl Default for Started {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Started {
    pub(crate) fn tell(&self) {
        self.0.add_permits(1);
    }

    pub(crate) async fn all(&self, num: u32) {
        self.0.acquire_many(num).await.unwrap().forget();
    }

    /// Tells, and then waits for ever with everything in its hands.
    pub(crate) async fn hang<T, E>(self, _held: impl Send) -> Result<T, E> {
        self.tell();
        std::future::pending().await
    }
}
