//! [`Context`] as an extractor, for what is built on axum-core 0.5: axum 0.8 (feature
//! `axum-core-05`).
//!
//! A handler takes `ctx: Context`. It is the one among the request's extensions, where the
//! `ContextLayer` of `tokio-ctx-tower` puts it.

use axum_core::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;

use crate::context::Context;

/// The context of the request.
///
/// # Errors
///
/// A 500 that names the missing layer, when there is no `ContextLayer` around the route: it is
/// the server that is wrong, not the request.
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
/// assert_eq!(refused.1, "the route is not under a ContextLayer");
///
/// parts.extensions.insert(Context::background()); // as the layer does
/// assert!(Context::from_request_parts(&mut parts, &()).await.is_ok());
/// # }
/// ```
#[cfg(feature = "axum-core-05")] // as its module, for the documentation
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Context, Self::Rejection> {
        let ctx = parts.extensions.get::<Context>().cloned();
        ctx.ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "the route is not under a ContextLayer",
        ))
    }
}
