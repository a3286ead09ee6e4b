//! Clean-up under a context that has ended does not begin.
use tokio_ctx::Context;

pub async fn worker(ctx: &Context, mut queue: Queue, db: Db) -> Result<(), Error> {
    ctx.done().await;
    ctx.run(queue.flush_to(&db)).await?; //~ cleanup
    Ok(())
}
