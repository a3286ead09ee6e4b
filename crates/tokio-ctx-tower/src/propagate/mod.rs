//! For clients: deadlines and keys on outgoing requests.

mod body;
mod future;
mod layer;
mod service;

pub use self::body::PropagateBody;
pub use self::future::PropagateFuture;
pub use self::layer::PropagateLayer;
pub use self::service::PropagateService;

#[cfg(feature = "tonic")]
use std::error::Error;

use tokio_ctx_core::Cancelled;

use crate::error::{BoxError, ContextError};

/// What the caller gets for a call that was given up: a status if it speaks gRPC and we know
/// tonic, the error itself otherwise.
fn given_up(cancelled: Cancelled, is_grpc: bool) -> BoxError {
    let error = ContextError::from(cancelled);
    #[cfg(feature = "tonic")]
    if is_grpc {
        return Box::new(tonic::Status::from(error));
    }
    let _ = is_grpc;
    error.into()
}

/// The error of the service inside, unless it only tells of the deadline that the layer had it
/// enforce.
fn failed(error: BoxError) -> BoxError {
    #[cfg(feature = "tonic")]
    if sources(&*error).any(|error| error.downcast_ref::<tonic::TimeoutExpired>().is_some()) {
        return Box::new(tonic::Status::deadline_exceeded(
            "the deadline of the call has passed",
        ));
    }
    error
}

#[cfg(feature = "tonic")]
fn sources<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
