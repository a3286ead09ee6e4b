//! One wait is not a loop, and its caller may bound it.
use tokio_ctx::Context;

async fn ask(ctx: &Context, actor: &Actor) -> Result<Row, Error> {
    let reply = actor.send(Message::Get(ctx.clone())).await?;
    Ok(reply.recv().await?)
}

async fn first(ctx: &Context, mut rows: Rows) -> Option<Row> {
    let row = rows.next().await;
    log(ctx);
    row
}
