//! The channel is typed where it is made.
use tokio_ctx::Context;

struct Envelope<T> {
    ctx: Context,
    body: T,
}

fn start() {
    let (tx, rx) = tokio::sync::mpsc::channel::<Envelope<u32>>(8);
}
