//! A wrapper of one's own around it.
use tokio_ctx::Context;

pub struct Tracked<T> {
    inner: T,
    since: Instant,
}

pub struct Cache {
    owner: Tracked<Option<Context>>, //~ kept
}
