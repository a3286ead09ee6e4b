//! Whose locks, atomics and thread-locals they are: a checker's, or the standard library's.

#[cfg(loom)]
pub(crate) use loom as platform;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle as platform;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std as platform;
