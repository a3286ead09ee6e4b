//! The back end of every ordinary build: std's locks, tokio's clock, tokio-util's token.

pub(crate) mod clock;
mod flag;
mod helper;
mod lock;
mod shield;
pub(crate) mod timer;

use std::cell::Cell;

pub(crate) use self::flag::{AtomicFlag, AtomicPlace};
pub(crate) use self::helper::defer;
pub(crate) use self::lock::Mutex;
pub(crate) use self::shield::shield;
pub(crate) use std::sync::OnceLock as Slot;
pub(crate) use std::thread_local;
pub use tokio_util::sync::CancellationToken;
pub(crate) use tokio_util::sync::WaitForCancellationFuture as TokenWait;
pub(crate) use tokio_util::sync::WaitForCancellationFutureOwned as TokenWaitOwned;

/// Nothing: model checkers track what is never dropped.
pub(crate) struct Tracked;

impl Tracked {
    pub(crate) const fn new() -> Self {
        Tracked
    }
}

thread_local! {
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread only asked a question; relays then leave the callbacks to the helper
/// thread.
pub(crate) fn is_asking() -> bool {
    ASKING.try_with(Cell::get).unwrap_or(false)
}

/// Sets [`is_asking`] while `f` runs, and restores it, also when `f` panics.
pub(crate) fn with_asking<R>(asking: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = ASKING.try_with(|cell| cell.set(self.0));
        }
    }
    let _restore = Restore(
        ASKING
            .try_with(|cell| cell.replace(asking))
            .unwrap_or(asking),
    );
    f()
}
