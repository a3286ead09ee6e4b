//! features: tower
//! rustc says: the item is gated behind the `axum` feature

use tokio_ctx::tower::axum::around;
