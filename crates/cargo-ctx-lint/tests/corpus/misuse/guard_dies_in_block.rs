//! The guard lives as long as the block, the context was to live longer.
use tokio_ctx::Context;

pub async fn load(ctx: &Context, id: u64) -> Result<Row, Error> {
    let inner = {
        let guard = ctx.with_cancel();
        guard.with_value::<RowId>(id) //~ guard
    };
    query(&inner, id).await
}
