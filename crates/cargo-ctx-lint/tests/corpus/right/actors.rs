//! An actor whose messages carry their callers' contexts, under a context of its own.
use tokio::sync::{mpsc, oneshot};
use tokio_ctx::{Context, Scope};

enum Message {
    Get { ctx: Context, id: u64, reply: oneshot::Sender<Row> },
    Stop,
}

pub fn start(s: &Scope<Error>) -> mpsc::Sender<Message> {
    let (tx, mut rx) = mpsc::channel(16);
    s.spawn(async move |ctx| {
        while let Ok(Some(message)) = ctx.run(rx.recv()).await {
            match message {
                Message::Get { ctx, id, reply } => {
                    let _ = reply.send(load(&ctx, id).await?);
                }
                Message::Stop => break,
            }
        }
        Ok(())
    });
    tx
}
