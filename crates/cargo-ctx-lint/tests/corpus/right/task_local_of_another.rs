//! A `task_local!` of somebody else's context.
use opentelemetry::Context;

tokio::task_local! {
    static CURRENT: Context;
}

pub struct Span {
    parent: Arc<Context>,
}
