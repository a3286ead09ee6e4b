//! The macro under another name.
use tokio_ctx::key as context_key;

context_key! { AuthToken: String, print } //~ secret-key-prints
