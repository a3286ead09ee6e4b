//! Tasks that use their own context beside another one.
use tokio_ctx::{Context, Scope, scope};

pub fn start(server: Context, s: &Scope<Error>, job: Job) {
    s.spawn(async move |ctx| {
        let merged = ctx.merge(&server);
        job.run(&merged).await
    });
}

pub fn values(request: Context, s: &Scope<Error>) {
    s.spawn(async move |ctx| {
        let user = request.value::<User>().cloned();
        ctx.run(audit(user)).await?
    });
    s.spawn(async move |_| {
        metrics().flush();
        Ok(())
    });
}

pub fn on_own_lifetime(ctx: Context, s: &Scope<Error>) {
    s.task().under(&ctx).spawn(async move |ctx| work(&ctx).await);
    s.spawn(async move |_ctx| reload().await);
}
