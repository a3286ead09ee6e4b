//! An extractor that wraps a context is not one.
use axum::Extension;
use tokio_ctx::Context;

async fn handler(State(db): State<Db>, Extension(c): Extension<Context>) -> Response {
    respond(&c, &db).await
}
