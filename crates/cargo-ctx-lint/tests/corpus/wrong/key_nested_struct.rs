//! A struct of our own is judged by its fields.
use std::cell::RefCell;
use tokio_ctx::key;

pub struct Deps {
    name: String,
    inner: Inner,
}

struct Inner {
    scratch: RefCell<u32>,
}

key! { pub DepsKey: Deps } //~ infrastructure-in-key
