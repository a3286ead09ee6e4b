//! features: view
//! rustc says: the item is gated behind the `signal` feature

use tokio_ctx::view::dump_on_signal;
