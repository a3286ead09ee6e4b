//! What several modules need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_ctx::Cancelled;

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
