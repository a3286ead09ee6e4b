//! A context that may be left out will be left out.
use tokio_ctx::Context;

pub async fn get(ctx: Option<&Context>, key: &str) -> Option<Value> { //~ parameter
    match ctx {
        Some(ctx) => ctx.run(lookup(key)).await.ok()?,
        None => lookup(key).await,
    }
}
