//! Wrappers of frameworks around a context are their business.
use axum::extract::{Extension, State};
use tokio_ctx::Context;

async fn by_extension(Extension(ctx): Extension<Context>, name: String) -> String {
    greet(&ctx, name).await
}

async fn by_state(State(server): State<Context>) -> &'static str {
    probe(&server).await
}

async fn plain(ctx: Context) -> Result<String, Error> {
    ctx.run(load()).await?
}
