//! Once the context has ended, a grace period is timed without it.
use tokio::time::{sleep, timeout};
use tokio_ctx::Context;

async fn connection(ctx: Context, mut http: Connection) {
    tokio::select! {
        _ = &mut http => return,
        _ = ctx.done() => http.graceful_shutdown(),
    }
    if timeout(LAST_ANSWER, http).await.is_err() {
        warn();
    }
}

async fn worker(ctx: &Context, mut jobs: Jobs) {
    loop {
        tokio::select! {
            _ = ctx.done() => break,
            Some(job) = jobs.recv() => job.run(ctx).await,
        }
    }
    timeout(GRACE, jobs.flush()).await;
}

async fn server(ctx: &Context, listener: Listener) {
    while let Ok(accepted) = ctx.run(listener.accept()).await {
        serve(ctx, accepted);
    }
    sleep(GRACE).await;
    tokio::spawn(say_goodbye());
}

async fn waiter(ctx: &Context) {
    ctx.done().await;
    sleep(GRACE).await;
}

async fn handler(ctx: &Context, mut work: Work) {
    tokio::select! {
        cancelled = ctx.done() => {
            sleep(GRACE).await;
            work.abort();
        }
        () = &mut work => {}
    }
}
