//! Names from before the first release.
use tokio_ctx::tower::axum::RequestContext; //~ old-spelling
use tokio_ctx::tower::reqwest::SendError; //~ old-spelling
use tokio_ctx::{
    Context, ContextExt as _, //~ old-spelling
    Scope,
    SpanPolicy,  //~ old-spelling
    TaskBuilder, //~ old-spelling
};

async fn run(ctx: &Context, other: &Context, s: &Scope<Error>, rows: Rows) {
    let kept = ctx.with_cancel().keep(); //~ old-spelling
    ctx.on_cancel(|_| tidy()).detach(); //~ old-spelling
    load(&kept).with_context(ctx).await; //~ old-spelling
    let mut rows = rows.until_done(ctx); //~ old-spelling
    s.spawn_cancellable(load(&kept)); //~ old-spelling
    s.spawn_local(async |ctx| load(&ctx).await); //~ old-spelling
    s.try_spawn(async |ctx| load(&ctx).await); //~ old-spelling
    s.spawn_background(async |ctx| load(&ctx).await); //~ old-spelling
    s.spawn_on(other, async |ctx| load(&ctx).await); //~ old-spelling
    s.spawn_when_free(async |ctx| load(&ctx).await).await; //~ old-spelling
}
