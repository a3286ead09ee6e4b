//! A named thread is still a thread.
use tokio_ctx::Context;

pub fn start(ctx: &Context, queue: Queue) -> std::io::Result<()> {
    tracing::info!(name = ctx.name());
    std::thread::Builder::new().name("drain".into()).spawn(move || queue.drain())?; //~ started
    Ok(())
}
