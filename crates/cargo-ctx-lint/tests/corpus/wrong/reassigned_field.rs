//! The same through a field.
use tokio_ctx::Context;

struct Worker {
    // ctx-lint: allow(context-in-struct) the worker is the call: one per request
    ctx: Context,
}

impl Worker {
    fn work(&mut self, items: &[Item]) {
        for item in items {
            self.ctx = self.ctx.with_value::<ItemId>(item.id); //~ context-reassigned-in-loop
        }
    }
}
