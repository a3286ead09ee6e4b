//! Loops that throw the end away.
use tokio_ctx::{Cancelled, Context, ScopeOptions, scope};

async fn loops(ctx: &Context, items: Vec<Item>) {
    for item in &items {
        let _ = ctx.run(item.flush()).await; //~ cancel-swallowed
        ctx.run(item.sync()).await.ok(); //~ cancel-swallowed
        _ = ctx.run(item.close()).await; //~ cancel-swallowed
    }
    for item in &items {
        let _ = ctx.check(); //~ cancel-swallowed
        ctx.check().ok(); //~ cancel-swallowed
    }
    loop {
        if let Ok(job) = ctx.run(next()).await { //~ cancel-swallowed
            job.run(ctx).await;
        }
    }
}

async fn matches(ctx: &Context) {
    loop {
        match ctx.run(next()).await {
            Ok(job) => job.run(ctx).await,
            Err(_) => {} //~ cancel-swallowed
        }
    }
}

async fn scopes(ctx: &Context) {
    let _ = scope(ctx, async |s| work(s).await).await; //~ cancel-swallowed
    let _ = ScopeOptions::new().run(ctx, async |s| work(s).await).await; //~ cancel-swallowed
}
