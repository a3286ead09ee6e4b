//! Assigned once, on one path each.
use tokio_ctx::Context;

pub async fn call(ctx: &Context, request: &Request) -> Result<(), Error> {
    let mut ctx = ctx.clone();
    if let Some(limit) = request.limit() {
        ctx = ctx.with_timeout(limit);
    }
    if let Some(user) = request.user() {
        ctx = ctx.with_value::<User>(user);
    }
    for attempt in 0..3 {
        let ctx = ctx.with_value::<Attempt>(attempt);
        if send(&ctx, request).await.is_ok() {
            break;
        }
    }
    Ok(())
}
