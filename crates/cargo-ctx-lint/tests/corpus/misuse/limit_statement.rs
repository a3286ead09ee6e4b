//! Go's habit of changing in place.
use tokio_ctx::Context;

pub async fn pay(ctx: &Context, order: Order) -> Result<(), Error> {
    ctx.with_value::<OrderId>(order.id); //~ limit
    charge(ctx, order).await
}
