//! Two findings about one parameter.
use tokio_ctx::{Context, key};

fn store(row: u64, cancel: &Context) {} //~ context-not-first context-not-named-ctx
