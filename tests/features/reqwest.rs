//! features: tower
//! rustc says: the item is gated behind the `reqwest` feature

use tokio_ctx::tower::reqwest::send;
