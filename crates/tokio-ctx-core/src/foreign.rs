//! Foreign code: callbacks, wakers, destructors and `Display` of values that users gave us, and
//! subscribers of our log lines.
//!
//! All of it is called from this file. A panic in it ends here and is logged, so it reaches neither
//! the caller of `cancel` nor the other callbacks and waiters. And nothing recurses: a callback may
//! cancel a context whose callback cancels another one, or own a context whose callback owns
//! another one, to any depth.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;

use crate::one_line::OneLine;
use crate::sync::{LocalKey, shield, thread_local};

/// Calls what was given to us by the line at `given_at`, and logs its panic as that of `what`.
pub(crate) fn call(
    what: &str,
    given_at: &'static Location<'static>,
    cancelled: Option<&dyn fmt::Display>,
    f: impl FnOnce(),
) {
    let Err(payload) = shield(f) else {
        return;
    };
    // The text of a cause may panic as well, and the line is to be written all the same.
    let cancelled = cancelled.map(|cancelled| shield(|| cancelled.to_string()));
    let cancelled = match &cancelled {
        Some(Ok(text)) => Some(text.as_str()),
        Some(Err(_)) => Some("(its text panicked)"),
        None => None,
    };
    quietly(|| {
        let panic = panic_text(&*payload);
        tracing::error!(%given_at, %panic, cancelled, "{what} panicked");
    });
    discard(payload);
}

/// Calls foreign code; `None` if it panicked. A panic ends here, and its payload with it.
///
/// Under a model checker panics go through: they are its findings.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::owner::quietly;
///
/// assert_eq!(quietly(|| 7), Some(7));
/// assert_eq!(quietly(|| -> u32 { std::panic::panic_any(7) }), None);
/// ```
#[inline]
pub fn quietly<R>(call: impl FnOnce() -> R) -> Option<R> {
    match shield(call) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard_payload(payload);
            None
        }
    }
}

/// The payload of a panic is foreign too, and so is that of its drop.
#[expect(
    clippy::mem_forget,
    reason = "a payload whose drop panics four times in a row is leaked"
)]
#[cold]
fn discard_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..4 {
        match shield(|| drop(payload)) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

/// Drops a value of a user; a panic in its drop ends here.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::owner::discard;
///
/// struct Bomb;
/// impl Drop for Bomb {
///     fn drop(&mut self) {
///         std::panic::panic_any(7);
///     }
/// }
/// discard(Bomb);
/// ```
#[inline]
pub fn discard<T>(value: T) {
    quietly(|| drop(value));
}

pin_project! {
    /// See [`whole`]. Pending for ever once it has given its output.
    pub(crate) struct Whole<F> {
        #[pin]
        future: Option<F>,
    }
}

/// A future of a user, dropped before its output is given back.
///
/// After that, a drop that panics would leave the output to nobody (rust-lang/rust#47949). The
/// output is not dropped while that panic unwinds, since a second one would end the process.
/// For futures that an async block of ours awaits.
///
/// # Cancel safety
///
/// As cancel safe as `future` is.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::owner::whole;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(whole(async { 7 }).await, 7);
/// # }
/// ```
pub fn whole<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Whole::new(future)
}

impl<F> Whole<F> {
    /// With a future that is over.
    pub(crate) const OVER: Whole<F> = Whole { future: None };

    pub(crate) fn new(future: F) -> Whole<F> {
        let future = Some(future);
        Whole { future }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.future.is_none()
    }
}

impl<F: Future> Future for Whole<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut future = self.project().future;
        let Some(running) = future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = ready!(running.poll(cx));
        if let Err(payload) = shield(|| future.set(None)) {
            discard(output);
            resume_unwind(payload);
        }
        Poll::Ready(output)
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> OneLine<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    OneLine(text.unwrap_or("(not a text)"))
}

/// How deep foreign code may run inside of foreign code on one thread.
const MOST: usize = 16;

type Work = Box<dyn FnOnce()>;

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "the checkers have no `const`")]
    static DEPTH: Cell<usize> = Cell::new(0);
    static WAITING: RefCell<VecDeque<Work>> = RefCell::new(VecDeque::new());
    #[allow(clippy::missing_const_for_thread_local, reason = "the checkers have no `const`")]
    static ASKING: Cell<bool> = Cell::new(false);
}

/// Whether this thread only asked a question; relays then leave the callbacks to the helper
/// thread.
pub(crate) fn is_asking() -> bool {
    ASKING.try_with(Cell::get).unwrap_or(false)
}

/// Sets [`is_asking`] while `f` runs.
pub(crate) fn with_asking(asking: bool, f: impl FnOnce()) {
    during(&ASKING, asking, f);
}

/// Sets `cell` while `f` runs, and restores it, also when `f` panics.
fn during<T: Copy>(cell: &'static LocalKey<Cell<T>>, value: T, f: impl FnOnce()) {
    struct Restore<T: Copy + 'static>(&'static LocalKey<Cell<T>>, Option<T>);
    impl<T: Copy> Drop for Restore<T> {
        fn drop(&mut self) {
            let _ = self
                .0
                .try_with(|cell| self.1.map(|before| cell.set(before)));
        }
    }
    let before = cell.try_with(|cell| cell.replace(value));
    let _restore = Restore(cell, before.ok());
    f();
}

/// Does `work`, which calls or drops foreign code: now, or, if that would be more than [`MOST`]
/// levels deep, when the outermost of them is done.
pub(crate) fn nested(work: impl FnOnce() + 'static) {
    let depth = DEPTH.try_with(Cell::get).unwrap_or(0);
    let mut work = Some(work);
    if depth >= MOST {
        // A thread that is going away has no such list any more.
        let _ = WAITING.try_with(|waiting| {
            let work = work.take().map(|work| Box::new(work) as Work);
            waiting.borrow_mut().extend(work);
        });
    }
    let Some(work) = work else {
        return;
    };
    during(&DEPTH, depth + 1, || {
        work();
        if depth == 0 {
            // Taken out one by one: each may add to them.
            let next = || WAITING.try_with(|waiting| waiting.borrow_mut().pop_front());
            while let Ok(Some(work)) = next() {
                work();
            }
        }
    });
}

/// Drops a value of a user that may own a context, whose end may drop another such value, and so on.
pub(crate) fn release<T: 'static>(value: T) {
    nested(move || discard(value));
}
