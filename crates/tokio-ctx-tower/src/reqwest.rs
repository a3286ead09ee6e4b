//! For reqwest: a request whose head and body are under a context; feature `reqwest`.
//!
//! ```
//! use tokio_ctx::Context;
//! use tokio_ctx::tower::propagate::PropagateLayer;
//! use tokio_ctx::tower::reqwest::send;
//!
//! type Error = Box<dyn std::error::Error + Send + Sync>;
//!
//! async fn price(ctx: &Context, http: &reqwest::Client, url: &str) -> Result<String, Error> {
//!     let response = send(ctx, &PropagateLayer::new(), http.get(url)).await??;
//!     Ok(response.text().await?) // fails when `ctx` ends in the middle of the body
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let late = Context::background().with_timeout(std::time::Duration::ZERO);
//! # let error = price(&late, &reqwest::Client::new(), "http://127.0.0.1:9").await.unwrap_err();
//! # assert!(error.is::<tokio_ctx::Cancelled>());
//! # }
//! ```

use reqwest::{Body, RequestBuilder, Response, ResponseBuilderExt as _};
use tokio_ctx_core::{Cancelled, Context};

use crate::propagate::{PropagateBody, PropagateLayer};

/// Sends a request with what `propagate` sends: the deadline of `ctx`, less the reserve, and
/// the listed keys.
///
/// When `ctx` ends, the request is given up: while its answer is waited for, and while the body
/// of the answer is read. reqwest waits for nothing else, so the wait for a connection is under
/// the context too. Redirects carry the deadline of the first request.
///
/// # Errors
///
/// Two, as [`Context::run`] has: [`Cancelled`] if `ctx` ended before there was a response, and
/// inside it what reqwest says of its own failure, which may be worth another try. The body of the
/// response fails with an error of reqwest, in whose [`source`](std::error::Error::source) chain a
/// [`ContextError`](crate::ContextError) says why.
///
/// # Cancel safety
///
/// A future that is dropped gives the request up. Whether the server has seen it is not known,
/// as ever.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::propagate::PropagateLayer;
/// use tokio_ctx::tower::reqwest::send;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?; // accepts, and says nothing
/// let url = format!("http://{}", silent.local_addr()?);
///
/// let http = reqwest::Client::new();
/// let ctx = Context::background().with_timeout(Duration::from_millis(20));
/// match send(&ctx, &PropagateLayer::new(), http.get(url)).await {
///     Err(cancelled) => assert!(cancelled.is_timeout()), // another try would be late, too
///     Ok(Err(error)) => panic!("worth another try: {}", error.is_connect()),
///     Ok(Ok(response)) => panic!("{response:?}"),
/// }
/// # Ok(())
/// # }
/// ```
pub async fn send(
    ctx: &Context,
    propagate: &PropagateLayer,
    request: RequestBuilder,
) -> Result<Result<Response, reqwest::Error>, Cancelled> {
    let (client, request) = request.build_split();
    let mut request = match request {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    let call = propagate.inject(ctx, request.headers_mut())?;
    let response = match call.run(client.execute(request)).await? {
        Ok(response) => response,
        Err(error) => return Ok(Err(error)),
    };

    let url = response.url().clone();
    let (parts, body) = http::Response::<Body>::from(response).into_parts();
    let body = PropagateBody::new(call, body, false);
    // The address is among the extensions that only reqwest can make.
    let mut response = http::Response::builder()
        .url(url)
        .body(Body::wrap(body))
        .unwrap_or_default();
    *response.status_mut() = parts.status;
    *response.version_mut() = parts.version;
    *response.headers_mut() = parts.headers;
    response.extensions_mut().extend(parts.extensions);
    Ok(Ok(Response::from(response)))
}
