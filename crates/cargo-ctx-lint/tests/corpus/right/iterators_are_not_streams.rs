//! `next` of an iterator waits for nothing.
use tokio_ctx::Context;

async fn all(ctx: &Context, rows: Vec<Row>) -> Result<(), Error> {
    let mut rows = rows.into_iter();
    while let Some(row) = rows.next() {
        ctx.check()?;
        store(ctx, row).await?;
    }
    Ok(())
}
