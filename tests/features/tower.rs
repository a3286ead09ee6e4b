//! features: scope
//! rustc says: the item is gated behind the `tower` feature

use tokio_ctx::tower::ContextLayer;
