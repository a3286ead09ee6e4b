//! A queue whose messages carry the context of their sender.
//!
//! Run: `cargo run -p examples --example message_queue`
//!
//! A context does not belong in a struct, with one exception: a message. The worker serves
//! many requests, so it works on each message under that message's context, and gives up on
//! the ones whose sender has gone without touching the others.

use tokio::sync::{mpsc, oneshot};
use tokio_ctx::scope;
use tokio_ctx::{Cancelled, Context, key};

key! { Tenant: &'static str, print }

/// The one struct that may hold a context: it lives as long as one request.
pub(crate) struct Job {
    ctx: Context,
    number: u64,
    answer: oneshot::Sender<Result<String, Cancelled>>,
}

async fn square(ctx: &Context, number: u64) -> Result<String, Cancelled> {
    ctx.run(tokio::task::yield_now()).await?;
    let tenant = ctx.value::<Tenant>().copied().unwrap_or("nobody");
    Ok(format!("{number}² = {} for {tenant}", number * number))
}

/// Ends when the queue is closed, or with its own context, the server's.
pub(crate) async fn work(ctx: &Context, mut jobs: mpsc::Receiver<Job>) -> Result<usize, Cancelled> {
    let mut served = 0;
    while let Some(job) = ctx.run(jobs.recv()).await? {
        let result = square(&job.ctx, job.number).await;
        served += usize::from(result.is_ok());
        // The sender may have gone: then nobody wants the answer.
        let _ = job.answer.send(result);
    }
    Ok(served)
}

pub(crate) async fn ask(
    ctx: &Context,
    queue: &mpsc::Sender<Job>,
    number: u64,
) -> Result<String, Cancelled> {
    let (answer, result) = oneshot::channel();
    let job = Job {
        ctx: ctx.clone(),
        number,
        answer,
    };
    let sent = ctx.run(queue.send(job)).await?;
    assert!(sent.is_ok(), "the worker outlives its clients here");
    ctx.run(result)
        .await?
        .expect("the worker answers every job it takes")
}

#[tokio::main]
async fn main() -> Result<(), Cancelled> {
    let server = Context::background().with_cancel();
    let served = scope(&server, async |s| {
        let (queue, jobs) = mpsc::channel(8);
        let worker = s.spawn(async move |ctx| work(&ctx, jobs).await);

        let alice = server.with_value::<Tenant>("alice").with_cancel();
        let bob = server.with_value::<Tenant>("bob").with_cancel();
        bob.cancel_with("bob closed his browser");

        println!("{}", ask(&alice, &queue, 7).await?);
        let refused = ask(&bob, &queue, 8).await.unwrap_err();
        println!("bob: {refused}");
        assert!(refused.to_string().contains("bob closed his browser"));
        assert_eq!(ask(&alice, &queue, 9).await?, "9² = 81 for alice");

        drop(queue);
        worker.await
    })
    .await?;
    assert_eq!(served, 2);
    Ok(())
}
