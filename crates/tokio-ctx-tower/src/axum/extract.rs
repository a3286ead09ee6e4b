//! Extractors.

use std::any::type_name;
use std::error::Error;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use tokio_ctx_core::{Context, Key};

use crate::request_scope::RequestScope;

fn context_of(parts: &Parts) -> Result<&Context, ContextRejection> {
    parts
        .extensions
        .get()
        .ok_or(ContextRejection(Missing::Layer("ContextLayer")))
}

/// The value of a key, out of the context of the request.
///
/// `Option<ContextValue<K>>` is an extractor too, for a key that may be absent.
///
/// # Errors
///
/// [`ContextRejection`]: a 400 that names the key when it is absent, a 500 when there is no
/// layer.
///
/// # Examples
///
/// ```
/// use tokio_ctx::key;
/// use tokio_ctx::tower::axum::ContextValue;
///
/// key! { Shop: u32 }
///
/// async fn handler(ContextValue(shop): ContextValue<Shop>) -> String {
///     format!("shop {shop}")
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # use axum::{Router, body::Body, routing::get};
/// # use tower::ServiceExt;
///
/// let app = Router::new().route("/", get(handler));
/// let mut request = http::Request::new(Body::empty());
/// # let body_of = async |response: http::Response<Body>| {
/// #     axum::body::to_bytes(response.into_body(), 99).await.unwrap()
/// # };
/// let ctx = tokio_ctx::Context::background().with_value::<Shop>(7);
/// request.extensions_mut().insert(ctx); // as `ContextLayer` does
/// let response = app.oneshot(request).await.unwrap();
/// assert_eq!(body_of(response).await, "shop 7");
/// # }
/// ```
pub struct ContextValue<K: Key>(pub K::Value);

impl<S: Sync, K: Key> FromRequestParts<S> for ContextValue<K>
where
    K::Value: Clone,
{
    type Rejection = ContextRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ContextRejection> {
        let value = context_of(parts)?.value::<K>();
        value
            .cloned()
            .map(ContextValue)
            .ok_or(ContextRejection(Missing::Key(K::NAME)))
    }
}

impl<S: Sync, K: Key> OptionalFromRequestParts<S> for ContextValue<K>
where
    K::Value: Clone,
{
    type Rejection = ContextRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, ContextRejection> {
        Ok(context_of(parts)?.value::<K>().cloned().map(ContextValue))
    }
}

/// Names the key, never shows the value.
impl<K: Key> fmt::Debug for ContextValue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextValue<{}>", type_name::<K>())
    }
}

impl<S: Sync> FromRequestParts<S> for RequestScope {
    type Rejection = ContextRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ContextRejection> {
        let scope = parts.extensions.get::<RequestScope>().cloned();
        scope.ok_or(ContextRejection(Missing::Layer("RequestScopeLayer")))
    }
}

/// Why an extractor of this crate refused.
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
/// assert_eq!(refused.to_string(), "the route is not under a RequestScopeLayer");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ContextRejection(Missing);

#[derive(Clone, Copy, Debug)]
enum Missing {
    Layer(&'static str),
    Key(&'static str),
    Upgrade,
}

impl ContextRejection {
    /// Of what follows an upgrade, where there is none.
    pub(crate) fn no_upgrade() -> ContextRejection {
        ContextRejection(Missing::Upgrade)
    }

    /// Whether it is the server that is wrong, not the request.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.0, Missing::Layer(_))
    }
}

impl fmt::Display for ContextRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Missing::Layer(layer) => write!(f, "the route is not under a {layer}"),
            Missing::Key(key) => write!(f, "the request carries no {key}"),
            Missing::Upgrade => f.write_str(
                "the request asks for no upgrade, or the server was not started by `serve`",
            ),
        }
    }
}

impl Error for ContextRejection {}
