//! A context by any other name.
use tokio_ctx::Context;

async fn fetch(context: &Context, url: &str) {} //~ context-not-named-ctx
fn parse(c: Context) {} //~ context-not-named-ctx

trait Source {
    fn read(&mut self, cancel: &Context); //~ context-not-named-ctx
}
