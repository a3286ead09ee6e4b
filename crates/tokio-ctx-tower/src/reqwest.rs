//! For reqwest: a request whose head and body are under a context; feature `reqwest`.
//!
//! ```
//! use tokio_ctx::Context;
//! use tokio_ctx::tower::propagate::PropagateLayer;
//! use tokio_ctx::tower::reqwest::{SendError, send};
//!
//! async fn price(ctx: &Context, http: &reqwest::Client, url: &str) -> Result<String, SendError> {
//!     let response = send(ctx, &PropagateLayer::new(), http.get(url)).await?;
//!     Ok(response.text().await?) // fails when `ctx` ends in the middle of the body
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let late = Context::background().with_timeout(std::time::Duration::ZERO);
//! # let error = price(&late, &reqwest::Client::new(), "http://127.0.0.1:9").await.unwrap_err();
//! # assert!(error.ended().is_some());
//! # }
//! ```

use std::error::Error;
use std::fmt;

use reqwest::{Body, RequestBuilder, Response, ResponseBuilderExt as _};
use tokio_ctx_core::{Cancelled, Context};

use crate::error::ContextError;
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
/// A [`SendError`]. The body of the response fails with an error of reqwest, in whose
/// [`source`](Error::source) chain a [`ContextError`] says why.
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
/// let error = send(&ctx, &PropagateLayer::new(), http.get(url)).await.unwrap_err();
/// assert!(error.ended().unwrap().cancelled().is_timeout());
/// # Ok(())
/// # }
/// ```
pub async fn send(
    ctx: &Context,
    propagate: &PropagateLayer,
    request: RequestBuilder,
) -> Result<Response, SendError> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let call = propagate.inject(ctx, request.headers_mut())?;
    let response = call.run(client.execute(request)).await??;

    let url = response.url().clone();
    let (parts, body) = http::Response::<Body>::from(response).into_parts();
    let body = PropagateBody::new(body, call.done_owned(), false);
    // The address is among the extensions that only reqwest can make.
    let mut response = http::Response::builder()
        .url(url)
        .body(Body::wrap(body))
        .unwrap_or_default();
    *response.status_mut() = parts.status;
    *response.version_mut() = parts.version;
    *response.headers_mut() = parts.headers;
    response.extensions_mut().extend(parts.extensions);
    Ok(Response::from(response))
}

/// Why a request of reqwest has no response.
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::reqwest::SendError;
///
/// fn is_worth_another_try(error: &SendError) -> bool {
///     match error {
///         SendError::Ended(_) => false, // there is no time for it, or nobody to do it for
///         SendError::Failed(error) => error.is_connect(),
///         _ => false,
///     }
/// }
/// # let late = tokio_ctx::Context::background().with_timeout(std::time::Duration::ZERO);
/// # assert!(!is_worth_another_try(&SendError::from(late.err().unwrap())));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The context ended before there was a response.
    Ended(ContextError),
    /// reqwest failed.
    Failed(reqwest::Error),
}

impl SendError {
    /// What ended the context, if that is why: before the response came, or in the middle of
    /// its body.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::reqwest::SendError;
    ///
    /// let late = tokio_ctx::Context::background().with_timeout(std::time::Duration::ZERO);
    /// let error = SendError::from(late.err().unwrap());
    /// assert_eq!(error.ended().unwrap().status(), 504);
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<&ContextError> {
        match self {
            SendError::Ended(error) => Some(error),
            SendError::Failed(error) => {
                let sources = std::iter::successors(error.source(), |&error| error.source());
                sources.into_iter().find_map(|error| error.downcast_ref())
            }
        }
    }
}

impl From<Cancelled> for SendError {
    fn from(cancelled: Cancelled) -> SendError {
        SendError::Ended(cancelled.into())
    }
}

impl From<reqwest::Error> for SendError {
    fn from(error: reqwest::Error) -> SendError {
        SendError::Failed(error)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Ended(error) => error.fmt(f),
            SendError::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SendError::Ended(error) => error.source(),
            SendError::Failed(error) => error.source(),
        }
    }
}
