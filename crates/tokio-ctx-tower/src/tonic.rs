//! For tonic: statuses and the context of a request; feature `tonic`.
//!
//! [`ContextLayer`](crate::ContextLayer) goes into `Server::builder().layer(..)`,
//! [`PropagateLayer`](crate::propagate::PropagateLayer) around a `Channel`. Nothing in here is needed to
//! make them work.
//!
//! ```
//! use tokio_ctx::tower::tonic::{context, to_status};
//! use tonic::{Request, Response, Status};
//!
//! async fn say_hello(request: Request<String>) -> Result<Response<String>, Status> {
//!     let ctx = context(&request);
//!     let name = request.into_inner();
//!     let greeting = ctx.run(look_up(name)).await.map_err(to_status)?;
//!     Ok(Response::new(greeting))
//! }
//! # async fn look_up(name: String) -> String { format!("hello, {name}") }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let mut request = Request::new("you".to_owned());
//! # request.extensions_mut().insert(tokio_ctx::Context::background());
//! # assert_eq!(say_hello(request).await.unwrap().into_inner(), "hello, you");
//! # }
//! ```

use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context};
use tonic::{Code, IntoRequest, Request, Status};

use crate::error::ContextError;

/// The status that tells a client of the end of a context.
///
/// `DEADLINE_EXCEEDED` when time ran out, `UNAVAILABLE` when the server shuts down,
/// `CANCELLED` otherwise. Its source is the [`ContextError`]; its message gives away nothing
/// of the server.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::tonic::to_status;
/// use tonic::Code;
///
/// let late = Context::background().with_timeout(Duration::ZERO);
/// let status = late.check().map_err(to_status).unwrap_err();
/// assert_eq!(status.code(), Code::DeadlineExceeded);
/// ```
#[must_use]
pub fn to_status(cancelled: Cancelled) -> Status {
    Status::from(ContextError::from(cancelled))
}

/// As [`to_status`] does.
#[cfg(feature = "tonic")] // as its module, for the documentation
impl From<ContextError> for Status {
    fn from(error: ContextError) -> Status {
        let mut status = Status::new(Code::from(i32::from(error.grpc_code())), error.title());
        status.set_source(Arc::new(error));
        status
    }
}

/// The context that [`ContextLayer`](crate::ContextLayer) gave the request; without the layer one
/// that never ends.
///
/// Take it before `into_inner`, which drops it.
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::tonic::context;
/// use tonic::Request;
///
/// let mut request = Request::new("ask");
/// assert!(!context(&request).can_be_cancelled(), "there is no layer");
/// let server = Context::background().with_cancel();
/// request.extensions_mut().insert(Context::clone(&server)); // as the layer does
/// assert!(context(&request).can_be_cancelled());
/// ```
#[must_use]
pub fn context<T>(request: &Request<T>) -> Context {
    request.extensions().get().cloned().unwrap_or_default()
}

/// A request, or a message as one, under `ctx`:
/// [`PropagateLayer`](crate::propagate::PropagateLayer) sends what is left of its deadline.
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::tonic::{context, under};
///
/// let ctx = Context::background().with_cancel();
/// let request = under(&ctx, "ask");
/// ctx.cancel();
/// assert!(context(&request).is_done());
/// ```
#[must_use]
pub fn under<T>(ctx: &Context, request: impl IntoRequest<T>) -> Request<T> {
    let mut request = request.into_request();
    request.extensions_mut().insert(ctx.clone());
    request
}
