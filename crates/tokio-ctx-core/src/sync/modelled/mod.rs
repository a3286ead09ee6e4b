//! The back end of model checkers: `--cfg loom` and `--cfg shuttle`.
//!
//! What is checked is this crate's protocols over a stand-in for the token and over a clock
//! that moves when a model moves it. Arc and Weak stay std's.

pub(crate) mod clock;
mod flag;
mod lock;
pub(crate) mod timer;
mod token;

use std::any::Any;
use std::cell::Cell;
use std::sync::OnceLock;

#[cfg(loom)]
use loom as backend;
#[cfg(all(shuttle, not(loom)))]
use shuttle as backend;

pub(crate) use self::flag::{AtomicFlag, AtomicPlace};
pub(crate) use self::lock::Mutex;
pub use self::token::CancellationToken;
pub(crate) use self::token::{TokenWait, TokenWaitOwned};
pub(crate) use backend::thread_local;

pub(crate) use backend::future::block_on;

/// A cell that is set once. `get` may miss a `set` on another thread that is under way.
pub(crate) struct Slot<T> {
    value: OnceLock<T>,
    is_set: AtomicFlag,
    lock: Mutex<()>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Slot {
            value: OnceLock::new(),
            is_set: AtomicFlag::new(0),
            lock: Mutex::new(()),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load() == 0 {
            None
        } else {
            self.value.get()
        }
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let _guard = self.lock.lock();
        let value = self.value.get_or_init(init);
        self.is_set.store(1);
        value
    }

    pub(crate) fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _guard = self.lock.lock();
        self.value.set(value)?;
        self.is_set.store(1);
        Ok(())
    }
}

/// Reports what is never dropped: a forgotten std `Arc` would pass unseen.
pub(crate) struct Tracked {
    #[cfg(loom)]
    _track: loom::alloc::Track<()>,
}

impl Tracked {
    pub(crate) fn new() -> Self {
        Tracked {
            #[cfg(loom)]
            _track: loom::alloc::Track::new(()),
        }
    }
}

/// Lets panics through: they are the checker's findings.
pub(crate) fn shield<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    Ok(f())
}

/// Runs `job` here: the helper thread, as if it were as fast as can be.
pub(crate) fn defer(job: impl FnOnce() + Send + 'static) {
    job();
}

thread_local! {
    static ASKING: Cell<bool> = Cell::new(false);
}

pub(crate) fn is_asking() -> bool {
    ASKING.with(Cell::get)
}

pub(crate) fn with_asking<R>(asking: bool, f: impl FnOnce() -> R) -> R {
    let before = ASKING.with(|cell| cell.replace(asking));
    let result = f();
    ASKING.with(|cell| cell.set(before));
    result
}
