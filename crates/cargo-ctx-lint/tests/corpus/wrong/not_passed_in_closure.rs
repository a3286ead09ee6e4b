//! Closures and nested blocks still see the context.
use tokio_ctx::Context;

impl Service {
    async fn handle(&self, ctx: Context, items: Vec<u64>) {
        let each = |item: u64| work(&Context::background(), item); //~ context-not-passed
        for item in items {
            async move { work(&Context::background(), item) }.await; //~ context-not-passed
        }
    }
}
