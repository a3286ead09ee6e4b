//! An extractor is a handler's parameter.
use axum::extract::FromRequestParts;
use tokio_ctx::Context;

pub struct RequestContext(pub Context);

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(RequestContext(context_of(parts)))
    }
}
