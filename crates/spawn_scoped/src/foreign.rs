//! Foreign code is called here: wakers, destructors, `Display` of users' values, and subscribers of
//! the log. A panic in it ends here, so it can be called from a drop and between two steps of ours.
//! Futures and closures of tasks are called where their panics are reported.

use std::task::Waker;

pub(crate) use tokio_ctx_core::owner::{discard as drop_quietly, quietly, whole};

/// Wakes the waiter, if there is one.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        quietly(|| waker.wake());
    }
}

/// Writes to the log: subscribers are foreign, and so are the texts in it.
pub(crate) fn log(write: impl FnOnce()) {
    quietly(write);
}

/// A text that foreign code makes.
pub(crate) fn text(make: impl FnOnce() -> String) -> String {
    quietly(make).unwrap_or_else(|| "(its text panics)".to_owned())
}

/// A foreign value that a panic may drop, or its owner: a panic in its own drop ends here.
pub(crate) struct Quietly<T>(pub(crate) Option<T>);

impl<T> Drop for Quietly<T> {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

/// Calls it when dropped, unless it is taken out.
pub(crate) struct OnDrop<F: FnOnce()>(pub(crate) Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}
