//! A service behind a trait object.
use std::sync::Arc;
use tokio_ctx::key;

key! { pub Repo: Arc<dyn Repository> } //~ key
