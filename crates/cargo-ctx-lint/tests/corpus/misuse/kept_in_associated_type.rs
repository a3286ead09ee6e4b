//! A state machine whose states carry the context about.
use tokio_ctx::Context;

pub enum Connection {
    Idle,
    Busy { since: Instant, on_behalf_of: Box<Context> }, //~ kept
    Closed(String),
}
