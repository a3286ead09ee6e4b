//! What is derived is in the value that is returned, and nowhere else.
use tokio_ctx::{Budget, Context};

async fn pay(ctx: &Context, order: Order) -> Result<(), Error> {
    ctx.with_value::<OrderId>(order.id); //~ derived-context-unused
    let limited = ctx.with_timeout(LIMIT); //~ derived-context-unused
    let _ctx = ctx.with_budget(Budget::fraction(0.5))?; //~ derived-context-unused
    charge(ctx, order).await
}
