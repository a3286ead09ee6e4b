//! The facade over a model checker: `--cfg loom` and `--cfg shuttle`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[cfg(loom)]
pub(crate) use loom as backend;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle as backend;

pub(crate) use backend::sync::MutexGuard;
pub(crate) use backend::sync::atomic::{AtomicUsize, Ordering};

use backend::sync::atomic::AtomicBool;

/// Twin of the native one.
pub(crate) struct Mutex<T>(backend::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(backend::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Twin of the native one. Loom misses executions in which the storing thread
/// loaded the atomic first, so each access also touches a companion atomic,
/// which makes loom explore both orders.
#[derive(Debug)]
pub(crate) struct Flag {
    flag: AtomicBool,
    order: AtomicUsize,
}

impl Flag {
    pub(crate) fn new() -> Self {
        Self {
            flag: AtomicBool::new(false),
            order: AtomicUsize::new(0),
        }
    }

    pub(crate) fn raise(&self) {
        self.order.fetch_add(0, Ordering::Relaxed);
        self.flag.store(true, Ordering::Release);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.order.fetch_add(0, Ordering::Relaxed);
        self.flag.load(Ordering::Acquire)
    }
}

/// Twin of the native one. A hint decides nothing, so loom need not explore it.
#[derive(Debug)]
pub(crate) struct Hint(std::sync::atomic::AtomicUsize);

impl Hint {
    pub(crate) fn new(value: usize) -> Self {
        Self(std::sync::atomic::AtomicUsize::new(value))
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// What a static of one execution is wrapped in. shuttle drops statics when the
/// execution is over, and then nothing of its may be touched: they are kept.
/// loom drops them inside of it, and would report what is not dropped; those of a
/// model that panicked it drops outside.
#[cfg(loom)]
pub(crate) struct Kept<T>(Option<T>);
#[cfg(all(shuttle, not(loom)))]
pub(crate) type Kept<T> = std::mem::ManuallyDrop<T>;

#[cfg(loom)]
impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

#[cfg(loom)]
impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only its drop takes it")
    }
}

#[cfg(loom)]
impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

/// Twin of the native one: one value per explored execution.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $crate::sync::backend::lazy_static! {
            $(#[$attr])*
            static ref $name: $crate::sync::Kept<$type> = $crate::sync::Kept::new($init);
        }
    };
}
pub(crate) use global;

/// The payload of a panic that a model throws on purpose, with
/// [`std::panic::resume_unwind`], which prints nothing.
///
/// A scope treats it as it treats every panic outside of models: it cancels the siblings, joins
/// them, and resumes the panic in the code that awaits the scope. Any other panic in a model is a
/// finding, and ends it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic(
    /// To tell several apart.
    pub u32,
);

/// Catches what a model throws on purpose. All other panics go through: they are the checker's
/// findings.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if !payload.is::<Panic>() => resume_unwind(payload),
        result => result,
    }
}
