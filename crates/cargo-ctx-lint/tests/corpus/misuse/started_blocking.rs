//! CPU work that runs on after the request is gone.
use tokio_ctx::Context;

pub async fn hash(ctx: &Context, password: String) -> Result<String, Error> {
    ctx.check()?;
    let hash = tokio::task::spawn_blocking(move || argon2(&password)).await?; //~ started
    Ok(hash)
}
