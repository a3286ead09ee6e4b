//! What the tests are written with.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use tokio_ctx_core::{Context, Reason};

/// How long something may take that takes a moment, before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough never to pass while a test runs on a clock that is not paused.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Short enough to wait for on a clock that cannot be paused.
pub(crate) const SOON: Duration = Duration::from_millis(40);

/// A counter to be shared with callbacks, wakers and destructors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A waker that counts its wake-ups.
    pub(crate) fn waker(&self) -> Waker {
        let count = self.clone();
        waker(move || count.add())
    }

    /// A value whose drop is counted.
    pub(crate) fn on_drop(&self) -> OnDrop {
        let count = self.clone();
        on_drop(move || count.add())
    }
}

/// A waker that runs `wake`.
pub(crate) fn waker(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Call<F>(F);

    impl<F: Fn() + Send + Sync> Wake for Call<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    Waker::from(Arc::new(Call(wake)))
}

/// A value that runs a closure when it is dropped.
pub(crate) struct OnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

pub(crate) fn on_drop(f: impl FnOnce() + Send + Sync + 'static) -> OnDrop {
    OnDrop(Some(Box::new(f)))
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Polls `future` once with `waker`.
pub(crate) fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut TaskContext::from_waker(waker))
}

/// Polls `future` once; nobody is told when it could go on.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// Asserts that all ways to ask say that `ctx` is live.
#[track_caller]
pub(crate) fn assert_live(ctx: &Context) {
    assert!(!ctx.is_done(), "{ctx:?}");
    assert!(ctx.err().is_none(), "{ctx:?}");
    assert!(ctx.check().is_ok(), "{ctx:?}");
    assert!(poll(std::pin::pin!(ctx.done())).is_pending(), "{ctx:?}");
    assert!(
        poll(std::pin::pin!(ctx.done_owned())).is_pending(),
        "{ctx:?}"
    );
}

/// Asserts that all ways to ask say that `ctx` ended, and for `reason`.
#[track_caller]
pub(crate) fn assert_ended(ctx: &Context, reason: Reason) {
    assert!(ctx.is_done(), "{ctx:?}");
    assert_eq!(reason_of(ctx), reason);
    assert_eq!(
        ctx.check().map_err(|cancelled| cancelled.reason()),
        Err(reason)
    );
    for polled in [
        poll(std::pin::pin!(ctx.done())),
        poll(std::pin::pin!(ctx.done_owned())),
    ] {
        assert_eq!(
            polled.map(|cancelled| cancelled.reason()),
            Poll::Ready(reason)
        );
    }
    assert!(ctx.token().is_cancelled(), "{ctx:?}");
}

#[track_caller]
pub(crate) fn reason_of(ctx: &Context) -> Reason {
    ctx.err().expect("the context ended").reason()
}

/// The text of the cause, `None` if there is none.
#[track_caller]
pub(crate) fn cause_of(ctx: &Context) -> Option<String> {
    let cancelled = ctx.err().expect("the context ended");
    cancelled.source().map(ToString::to_string)
}
