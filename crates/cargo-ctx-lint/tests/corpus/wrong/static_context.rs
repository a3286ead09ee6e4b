//! Statics of every kind.
use std::cell::RefCell;
use std::sync::{Mutex, OnceLock};
use tokio_ctx::Context;

type Slot = Mutex<Option<Context>>;

static ONE: OnceLock<Context> = OnceLock::new(); //~ context-in-static
pub(crate) static BEHIND_ALIAS: Slot = Mutex::new(None); //~ context-in-static

thread_local! {
    /// The caller of this thread.
    pub static CALLER: RefCell<Vec<Context>> = RefCell::new(Vec::new()); //~ context-in-static
    static COUNT: RefCell<u32> = const { RefCell::new(0) };
    static LAST: RefCell<Option<(u32, Context)>> = const { RefCell::new(None) }; //~ context-in-static
}

tokio::task_local! {
    static ID: u64;
    static REQUEST: Context; //~ context-in-static
}

fn inner() {
    static DEEP: OnceLock<Vec<Context>> = OnceLock::new(); //~ context-in-static
}
