//! Ways to run many tasks other than "all or nothing".
//!
//! Each takes a context, the items, and a function that makes a future of a task's context and
//! an item. The tasks live in a scope of their own, with its promises: all of them are
//! finished when the function returns, they are handed on when it is dropped, and a panic is
//! resumed in the caller.

mod each;
mod map;

pub use each::{collect_all, first_ok, race};
pub use map::map;
