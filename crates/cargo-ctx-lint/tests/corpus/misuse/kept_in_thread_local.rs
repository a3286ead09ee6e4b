//! The blocking half of a library that did not want to change its signatures.
use std::cell::RefCell;
use tokio_ctx::Context;

thread_local! {
    static CALLER: RefCell<Option<Context>> = const { RefCell::new(None) }; //~ kept
}

pub fn caller() -> Option<Context> {
    CALLER.with_borrow(Clone::clone)
}
