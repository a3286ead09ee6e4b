//! The new layer comes out of a fallible derivation.
use tokio_ctx::{Budget, Context};

pub async fn crawl(ctx: &Context, mut queue: Queue) -> Result<(), Error> {
    let mut ctx = ctx.clone();
    while let Some(page) = queue.pop() {
        ctx = match ctx.with_budget(Budget::fraction(0.9)) { //~ grows
            Ok(smaller) => smaller,
            Err(end) => return Err(end.into()),
        };
        visit(&ctx, page).await?;
    }
    Ok(())
}
