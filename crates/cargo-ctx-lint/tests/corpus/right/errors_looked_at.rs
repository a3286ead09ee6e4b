//! A cancel that is not passed on, for a reason that shows.
use tokio_ctx::{Cancelled, Context};

pub async fn best_effort(ctx: &Context, cache: &Cache) -> Option<Row> {
    ctx.run(cache.get()).await.ok().flatten()
}

pub async fn worker(ctx: &Context, mut jobs: Jobs) {
    while let Ok(Some(job)) = ctx.run(jobs.recv()).await {
        if let Err(error) = job.run(ctx).await {
            tracing::warn!(%error);
        }
    }
}

pub async fn retry(ctx: &Context, request: Request) -> Result<Response, Error> {
    loop {
        match ctx.run(send(&request)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(_)) => continue,
            Err(end) => return Err(end.into()),
        }
    }
}

pub async fn last_words(ctx: &Context, socket: &mut Socket) -> Result<(), Cancelled> {
    let end = ctx.done().await;
    let _ = socket.send(Close).await;
    Err(end)
}

pub async fn flush(ctx: &Context, sink: Sink) {
    let _ = ctx.run(sink.flush()).await;
}
