//! A declared type is as good as a parameter.
use tokio_ctx::Context;

async fn handle(request: Request) {
    let ctx: Context = request.take_context();
    tokio::spawn(work()); //~ bare-spawn
    other(&Context::background()); //~ context-not-passed
}
