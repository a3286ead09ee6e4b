//! Extractors.

use axum_core::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;

use crate::request_scope::RequestScope;

/// Why an extractor of this crate refuses: it is the server that is wrong, not the request.
pub(crate) fn refusal(why: &'static str) -> (StatusCode, &'static str) {
    (StatusCode::INTERNAL_SERVER_ERROR, why)
}

/// # Errors
///
/// A 500 that names the missing layer.
///
/// # Examples
///
/// ```
/// use axum::extract::FromRequestParts;
/// use http::Request;
/// use tokio_ctx::tower::request_scope::RequestScope;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mut parts, ()) = Request::new(()).into_parts();
/// let refused = RequestScope::from_request_parts(&mut parts, &()).await.unwrap_err();
/// assert_eq!(refused.1, "the route is not under a RequestScopeLayer");
/// # }
/// ```
#[cfg(feature = "axum")] // as its module, for the documentation
impl<S: Sync> FromRequestParts<S> for RequestScope {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let scope = parts.extensions.get::<RequestScope>().cloned();
        scope.ok_or_else(|| refusal("the route is not under a RequestScopeLayer"))
    }
}
