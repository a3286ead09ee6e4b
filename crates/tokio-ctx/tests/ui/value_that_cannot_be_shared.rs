//! A context is shared between threads, and so are its values.

use std::cell::Cell;

tokio_ctx::key! { Counter: Cell<u32> }

fn main() {}
