//! Sets and pools of other crates have rules of their own.
use tokio_ctx::Context;

async fn start(ctx: &Context, pool: &deadpool::Pool, actors: &mut Actors) -> Result<(), Error> {
    actors.spawn(Echo::new());
    pool.spawn_blocking(move || tidy()).await?;
    let builder = std::thread::Builder::new().name("worker".into());
    let ctx = ctx.clone();
    builder.spawn(move || while !ctx.is_done() { turn() })?;
    Ok(())
}
