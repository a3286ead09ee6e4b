//! The first call gets the limit, the second forgets it.
use tokio_ctx::Context;

pub async fn checkout(ctx: &Context, cart: Cart) -> Result<Receipt, Error> {
    let limited = ctx.with_timeout(LIMIT);
    let stock = reserve(&limited, &cart).await?;
    charge(ctx, stock).await //~ limit
}
