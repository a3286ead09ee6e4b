//! Through `mem::replace`.
use tokio_ctx::Context;

pub async fn turns(mut ctx: Context, rounds: u32) {
    for round in 0..rounds {
        let deeper = ctx.with_value::<Round>(round);
        let before = std::mem::replace(&mut ctx, deeper); //~ grows
        log(&before);
        play(&ctx).await;
    }
}
