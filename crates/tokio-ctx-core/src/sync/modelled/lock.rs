//! Locks that a checker explores.

#[cfg(loom)]
use loom as backend;
#[cfg(all(shuttle, not(loom)))]
use shuttle as backend;

pub(crate) use backend::sync::MutexGuard;

#[derive(Debug)]
pub(crate) struct Mutex<T>(backend::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(backend::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        match self.0.get_mut() {
            Ok(value) => value,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}
