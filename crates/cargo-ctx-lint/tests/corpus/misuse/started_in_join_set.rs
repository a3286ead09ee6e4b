//! A set of tasks that knows the loop and not the caller.
use tokio::task::JoinSet;
use tokio_ctx::Context;

pub async fn all(ctx: &Context, ids: Vec<u64>) -> Result<Vec<Row>, Error> {
    ctx.check()?;
    let mut set = JoinSet::new();
    for id in ids {
        set.spawn(async move { load(id).await }); //~ started
    }
    let mut rows = Vec::new();
    while let Some(row) = ctx.run(set.join_next()).await? {
        rows.push(row??);
    }
    Ok(rows)
}
