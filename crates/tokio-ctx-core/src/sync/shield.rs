//! Panics of foreign code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code whose panic must not reach the caller.
///
/// Under a checker panics go through: they are its findings.
#[inline]
pub(crate) fn shield<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    if cfg!(any(loom, shuttle)) {
        return Ok(f());
    }
    catch_unwind(AssertUnwindSafe(f))
}
