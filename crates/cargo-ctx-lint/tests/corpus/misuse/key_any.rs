//! A bag for whatever comes.
use std::any::Any;
use std::sync::Arc;

tokio_ctx::key! { pub Bag: Arc<dyn Any + Send + Sync> } //~ key
