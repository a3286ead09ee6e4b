//! A producer that sends in batches and acknowledges per call.
//!
//! Run: `cargo run -p examples --example batch_producer`
//!
//! Callers come with contexts of their own. A batch belongs to no single one of them, so it
//! is written under the producer's context; each caller waits for its acknowledgement under
//! its own, and one that gives up takes nothing from the others.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_ctx::scope;
use tokio_ctx::{Cancelled, Context};

pub(crate) struct Record {
    line: String,
    acknowledge: oneshot::Sender<usize>,
}

/// Writes batches until the callers are gone. Returns the sizes of the batches.
pub(crate) async fn produce(
    ctx: &Context,
    mut records: mpsc::Receiver<Record>,
    most: usize,
) -> Result<Vec<usize>, Cancelled> {
    let mut sizes = Vec::new();
    let mut batch = Vec::with_capacity(most);
    while ctx.run(records.recv_many(&mut batch, most)).await? > 0 {
        sizes.push(batch.len());
        println!("batch {}: {} records", sizes.len(), batch.len());
        for record in batch.drain(..) {
            println!("  {}", record.line);
            // A caller that gave up has dropped its end.
            let _ = record.acknowledge.send(sizes.len());
        }
    }
    Ok(sizes)
}

/// Returns the number of the batch that the line was written in.
pub(crate) async fn send(
    ctx: &Context,
    producer: &mpsc::Sender<Record>,
    line: String,
) -> Result<usize, Cancelled> {
    let (acknowledge, acknowledged) = oneshot::channel();
    let sent = ctx.run(producer.send(Record { line, acknowledge })).await?;
    assert!(sent.is_ok(), "the producer outlives its callers here");
    Ok(ctx
        .run(acknowledged)
        .await?
        .expect("every record is acknowledged"))
}

// One thread and a clock that stands still: the same batches in every run.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Cancelled> {
    let server = Context::background().with_cancel();
    let sizes = scope(&server, async |s| {
        let (producer, records) = mpsc::channel(16);

        // This caller has no time at all: it is refused before its line is sent.
        let hurried = server.with_timeout(Duration::ZERO);
        let refused = send(&hurried, &producer, "late".into()).await.unwrap_err();
        println!("hurried caller: {refused}");
        assert!(refused.is_timeout());

        let callers: Vec<_> = (0..5)
            .map(|id| {
                let producer = producer.clone();
                s.spawn(async move |ctx| send(&ctx, &producer, format!("line {id}")).await)
            })
            .collect();
        drop(producer);
        let writer = s.spawn(async move |ctx| produce(&ctx, records, 3).await);
        let mut batches = Vec::new();
        for caller in callers {
            batches.push(caller.await?);
        }
        assert_eq!(batches, [1, 1, 1, 2, 2]);
        writer.await
    })
    .await?;
    assert_eq!(sizes, [3, 2]);
    Ok(())
}
