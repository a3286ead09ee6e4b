//! Work that outlives its caller, said so.
use tokio_ctx::{Context, Scope};

pub async fn order(ctx: &Context, server: &Scope<Error>, order: Order) -> Result<(), Error> {
    commit(ctx, &order).await?;
    let detached = ctx.without_cancel();
    server.spawn(async move |ctx| audit(&detached.detach_onto(&ctx), order).await);
    Ok(())
}

pub async fn rollback(ctx: &Context, tx: Transaction) -> Result<(), Error> {
    let shield = ctx.without_cancel().with_timeout(GRACE);
    tx.rollback(&shield).await
}
