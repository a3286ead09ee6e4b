//! features: scope
//! rustc says: `with_signals` needs the feature `signal` of tokio-ctx

fn root() -> std::io::Result<()> {
    let ctx = tokio_ctx::Context::background().with_signals()?;
    drop(ctx);
    Ok(())
}
