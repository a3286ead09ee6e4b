//! A client that keeps the context of the code that made it.
use tokio_ctx::Context;

pub struct Client {
    ctx: Context, //~ context-in-struct
    base: String,
}

impl Client {
    pub fn new(ctx: &Context, base: String) -> Client {
        Client { ctx: ctx.clone(), base }
    }
}
