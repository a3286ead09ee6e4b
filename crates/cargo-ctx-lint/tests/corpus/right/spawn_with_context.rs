//! A spawned task that has the context, directly or inside something made with it.
use tokio_ctx::Context;

async fn start(ctx: &Context, items: Vec<Item>) {
    tokio::spawn(work(ctx.clone()));
    let child = ctx.with_cancel().disarm();
    tokio::spawn(async move { child.run(work2()).await });
    let server = Server::new(ctx);
    tokio::spawn(server.run());
    let fut = poll(ctx.clone());
    tokio::spawn(fut);
    tokio::spawn(ctx.run(flush()));
    tokio::spawn(async move {
        tokio::select! {
            _ = server.wait() => {}
        }
    });
    for (name, job) in jobs(ctx) {
        tokio::spawn(job);
    }
    if let Some(task) = next(ctx) {
        tokio::spawn(task);
    }
}
