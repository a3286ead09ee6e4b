//! Foreign code is called here: wakers, destructors, `Display` of users' values, and subscribers of
//! the log. A panic in it ends here, so it can be called from a drop and between two steps of ours.
//! Futures and closures of tasks are called where their panics are reported; they use [`catch`]
//! as well.

use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

pub(crate) use crate::sync::catch;

/// Drops a foreign value; a panic in its drop ends here.
pub(crate) fn drop_quietly<T>(value: T) {
    quietly(|| drop(value));
}

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

/// Calls foreign code; `None` if it panicked.
pub(crate) fn quietly<R>(call: impl FnOnce() -> R) -> Option<R> {
    let mut payload = match catch(call) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    // The payload of that panic is foreign as well, and so on; nobody is
    // perverse enough for more than a few rounds.
    for _ in 0..4 {
        match catch(|| drop(payload)) {
            Ok(()) => return None,
            Err(next) => payload = next,
        }
    }
    let _leaked = ManuallyDrop::new(payload);
    None
}

pin_project! {
    /// A user's future, to be awaited in an async block of ours. It is dropped before its output
    /// is returned: after that, a drop that panics would leave the output to nobody
    /// (rust-lang/rust#47949).
    pub(crate) struct Whole<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F> Whole<F> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Some(future),
        }
    }
}

impl<F: Future> Future for Whole<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut future = self.project().future;
        let Some(running) = future.as_mut().as_pin_mut() else {
            unreachable!("an async block polls what it awaits until it is ready");
        };
        let output = ready!(running.poll(cx));
        if let Err(payload) = catch(|| future.set(None)) {
            // Not while that panic unwinds: a second one would end the process.
            drop_quietly(output);
            resume_unwind(payload);
        }
        Poll::Ready(output)
    }
}
