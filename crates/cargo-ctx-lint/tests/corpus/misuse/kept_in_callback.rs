//! A boxed closure that captured the first caller's context.
use tokio_ctx::Context;

pub struct Hooks {
    on_flush: Box<dyn Fn(&Context, u64) + Send>,
    pending: Vec<(u64, std::rc::Rc<Context>)>, //~ kept
}
