//! A context is shared between threads, and so are its values.

use std::cell::Cell;

tokio_ctx_core::key! { Counter: Cell<u32> }

fn main() {}
