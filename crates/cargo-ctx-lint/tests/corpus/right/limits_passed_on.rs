//! Limits and values that are used, each in its own way.
use tokio_ctx::{Context, scope};

pub async fn search(ctx: &Context, text: &str) -> Result<Hits, Error> {
    let limited = ctx.with_timeout(LIMIT);
    let hits = index(&limited, text).await?;
    log(ctx, "searched").await;
    let ctx = ctx.with_value::<Query>(text.len());
    rank(&ctx, hits).await
}

pub async fn hedge(ctx: &Context, url: &Url) -> Result<Page, Error> {
    let first = ctx.with_timeout(SHORT);
    match fetch(&first, url).await {
        Ok(page) => Ok(page),
        Err(_) => fetch(ctx, url).await,
    }
}

pub async fn scoped(ctx: &Context) -> Result<(), Error> {
    let limited = ctx.with_timeout(LIMIT);
    scope(&limited, async |s| s.spawn(async move |ctx| load(&ctx).await).await).await?;
    let named = ctx.with_name("late");
    tracing::info!(?named);
    drop(ctx.with_timeout(LIMIT));
    finish(ctx).await
}
