//! Both, as the guide shows it.
use anyhow::Context as _;
use tokio_ctx::Context;

async fn load(ctx: &Context, path: &str) -> anyhow::Result<String> {
    ctx.run(read(path)).await.context("cannot read")
}
