//! The trait of `anyhow`, beside our type under its full path.
use anyhow::{Context, Result};

async fn load(ctx: &tokio_ctx::Context, path: &str) -> Result<String> {
    let text = ctx.run(tokio::fs::read_to_string(path)).await?.context("cannot read")?;
    Ok(text)
}

struct Report<C: Context<(), ()>> {
    inner: C,
}
