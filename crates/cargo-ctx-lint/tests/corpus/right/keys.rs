//! Values that inform.
use std::sync::Arc;
use tokio_ctx::key;

pub struct Client {
    id: u64,
    name: String,
}

key! {
    /// The id that ties log lines together.
    pub TraceId: String, print;
    pub Tenant: Arc<str>, print;
    pub Customer: Client;
    pub Deadline: std::time::Instant;
    pub SessionToken: String;
    pub Password: Arc<str>, request_only;
    pub TokenCount: u32, print;
    pub SessionKind: &'static str, print;
    pub Route: &'static [&'static str], print;
}
