//! features: tower
//! rustc says: the item is gated behind the `tonic` feature

use tokio_ctx::tower::tonic::under;
