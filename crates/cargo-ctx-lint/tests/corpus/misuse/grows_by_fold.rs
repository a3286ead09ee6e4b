//! A fold is a loop.
use tokio_ctx::Context;

pub async fn all(ctx: &Context, items: Vec<Item>) {
    let all = items.iter().fold(ctx.clone(), |ctx, item| ctx.with_value::<ItemId>(item.id)); //~ grows
    finish(&all).await;
}
