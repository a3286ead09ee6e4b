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
use std::panic::{Location, resume_unwind};
use std::pin::Pin;

use crate::one_line::OneLine;
use crate::sync::{shield, thread_local};

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
    log(|| {
        let panic = panic_text(&*payload);
        tracing::error!(%given_at, %panic, cancelled, "{what} panicked");
    });
    discard(payload);
}

/// Writes a log line: a subscriber may panic.
pub(crate) fn log(write: impl FnOnce()) {
    if let Err(payload) = shield(write) {
        discard(payload);
    }
}

/// Drops a value of a user.
#[expect(
    clippy::mem_forget,
    reason = "a payload whose drop panics five times in a row is leaked"
)]
pub(crate) fn discard<T>(value: T) {
    let Err(mut payload) = shield(|| drop(value)) else {
        return;
    };
    // The payload of a panic is foreign too, and so is that of its drop.
    for _ in 0..4 {
        match shield(|| drop(payload)) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

/// Drops a future of a user before its output is given back: after that, a drop that panics would
/// leave the output to nobody (rust-lang/rust#47949). The output is not dropped while that panic
/// unwinds, since a second one would end the process.
pub(crate) fn finish<F, T>(mut future: Pin<&mut Option<F>>, output: T) -> T {
    match shield(|| future.set(None)) {
        Ok(()) => output,
        Err(payload) => {
            discard(output);
            resume_unwind(payload)
        }
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
    let _level = Level::enter(depth);
    work();
    if depth == 0 {
        while let Some(work) = next_waiting() {
            work();
        }
    }
}

fn next_waiting() -> Option<Work> {
    let next = WAITING.try_with(|waiting| waiting.borrow_mut().pop_front());
    next.unwrap_or_default()
}

struct Level(usize);

impl Level {
    fn enter(depth: usize) -> Level {
        let _ = DEPTH.try_with(|cell| cell.set(depth + 1));
        Level(depth)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|cell| cell.set(self.0));
    }
}
