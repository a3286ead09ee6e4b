//! Loops that wait for what may never come.
use tokio_ctx::{Context, Scope, scope};

async fn recv(ctx: &Context, mut jobs: Jobs) {
    while let Some(job) = jobs.recv().await { //~ unending-wait
        job.run(ctx).await;
    }
}

async fn only_asked_in_between(ctx: &Context, mut jobs: Jobs) {
    while !ctx.is_done() {
        let job = jobs.recv().await; //~ unending-wait
        job.run(ctx).await;
    }
}

async fn ticks(ctx: &Context, mut ticks: Interval) {
    loop {
        ticks.tick().await; //~ unending-wait
        refresh(ctx).await;
    }
}

impl Worker {
    async fn run(&mut self, ctx: Context) -> Result<(), Error> {
        loop {
            let (socket, _) = self.listener.accept().await?; //~ unending-wait
            greet(&ctx, socket).await;
        }
    }
}

fn in_tasks(s: &Scope<Error>, mut rx: Rx) {
    s.spawn(async move |ctx| {
        while let Some(next) = rx.next().await { //~ unending-wait
            next.run(&ctx).await?;
        }
        Ok(())
    });
    s.spawn(move |ctx| async move {
        loop {
            flag.notified().await; //~ unending-wait
            ctx.check()?;
        }
    });
}

async fn selects(ctx: &Context, mut a: Rx, mut b: Rx) {
    loop {
        tokio::select! { //~ unending-wait
            Some(one) = a.recv() => one.run(ctx).await,
            Some(two) = b.recv() => {
                two.run(ctx).await;
            }
        }
    }
}

async fn in_body(ctx: &Context, mut rx: Rx) -> Result<(), Error> {
    scope(ctx, async |s| {
        while let Some(job) = rx.recv().await { //~ unending-wait
            s.spawn(async move |ctx| job.run(&ctx).await);
        }
        Ok(())
    })
    .await
}

fn on_a_thread(s: &Scope<Error>, mut lines: Lines) {
    s.spawn_blocking(move |ctx| {
        while let Some(line) = lines.blocking_recv() { //~ unending-wait
            write(&ctx, line)?;
        }
        Ok(())
    });
}
