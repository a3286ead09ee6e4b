//! [`Context`] as an extractor, for what is built on axum-core 0.5: axum 0.8 (feature
//! `axum-core-05`).
//!
//! A handler takes `ctx: Context`. It is the one among the request's extensions, where the
//! `ContextLayer` of `tokio-ctx-tower` puts it.

use std::error::Error;
use std::fmt;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::context::Context;

/// The context of the request.
///
/// # Errors
///
/// [`NoContext`], a 500, when there is no `ContextLayer` around the route.
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = NoContext;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Context, NoContext> {
        let ctx = parts.extensions.get::<Context>().cloned();
        ctx.ok_or(NoContext(()))
    }
}

/// The handler wants a context, and no layer gives it one.
///
/// # Examples
///
/// ```
/// use axum_core::extract::FromRequestParts;
/// use tokio_ctx_core::Context;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mut parts, ()) = http::Request::new(()).into_parts();
/// let refused = Context::from_request_parts(&mut parts, &()).await.unwrap_err();
/// assert_eq!(refused.to_string(), "the route is not under a ContextLayer");
///
/// parts.extensions.insert(Context::background()); // as the layer does
/// assert!(Context::from_request_parts(&mut parts, &()).await.is_ok());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NoContext(());

impl fmt::Display for NoContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the route is not under a ContextLayer")
    }
}

impl Error for NoContext {}

/// 500: it is the server that is wrong, not the request.
impl IntoResponse for NoContext {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
