//! Keys that carry behaviour.
tokio_ctx::key! { pub OnDone: Box<dyn Fn(u32) + Send + Sync> } //~ infrastructure-in-key
tokio_ctx::key! { pub Hook: fn(&str) -> bool } //~ infrastructure-in-key
