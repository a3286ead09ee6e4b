//! features: scope
//! rustc says: the item is gated behind the `view` feature

use tokio_ctx::view::View;
