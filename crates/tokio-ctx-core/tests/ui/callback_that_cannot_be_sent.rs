//! A callback runs on the thread of whoever ends the context.

use std::rc::Rc;

use tokio_ctx_core::Context;

fn main() {
    let ctx = Context::background().with_cancel();
    let local = Rc::new(1);
    ctx.on_cancel(move |_| drop(local)).disarm();
}
