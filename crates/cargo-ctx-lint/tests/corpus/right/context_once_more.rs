//! A task that uses its own context and keeps another beside it.
use tokio_ctx::{Context, Scope};

fn start(request: Context, server: &Scope<Error>) {
    server.spawn(async move |ctx| {
        let ctx = request.detach_onto(&ctx);
        audit(&ctx).await
    });
    server.spawn(async move |ctx: Context| audit(&ctx).await);
    server.task().name("tick").background().spawn(async move |ctx| {
        while ctx.run(tick()).await.is_ok() {}
        Ok(())
    });
}

fn deferred(ctx: &Context, s: &Scope<Error>, db: Db) {
    let shield = ctx.without_cancel();
    s.defer(async move |ctx| db.close(&ctx.merge(&shield)).await);
}
