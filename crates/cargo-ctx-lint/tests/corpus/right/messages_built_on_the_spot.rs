//! The message is recognised by the send.
use tokio_ctx::Context;

struct Job {
    ctx: Context,
    id: u64,
}

enum Event {
    Started { ctx: Context },
}

async fn enqueue(ctx: &Context, tx: Tx, events: Tx) {
    tx.send(Job { ctx: ctx.clone(), id: 7 }).await;
    events.try_send(Event::Started { ctx: ctx.clone() });
}
