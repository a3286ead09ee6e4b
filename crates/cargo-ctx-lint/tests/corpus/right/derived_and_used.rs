//! Derived contexts that are used in any way.
use tokio_ctx::{Budget, Context};

async fn run(ctx: &Context, order: Order) -> Result<(), Error> {
    let named = ctx.with_value::<Name>("order");
    log!("{named:?}");
    charge(ctx, &order).await?;
    let limited = ctx.with_timeout(LIMIT);
    let pay = async { settle(&limited, &order).await };
    pay.await?;
    let left = ctx.with_budget(Budget::fraction(0.5))?.remaining();
    warn(ctx, left).await;
    let unused = ctx.with_timeout(LIMIT);
    Ok(())
}

fn make(ctx: &Context) -> Context {
    ctx.with_value::<Name>("made")
}
