//! The context hides among the parameters.
use tokio_ctx::Context;

async fn fetch(url: &str, ctx: &Context) {} //~ context-not-first

struct Store;

impl Store {
    async fn get(&self, key: &str, ctx: &Context) {} //~ context-not-first
}

trait Source {
    fn read(&mut self, limit: usize, ctx: Context); //~ context-not-first
}
