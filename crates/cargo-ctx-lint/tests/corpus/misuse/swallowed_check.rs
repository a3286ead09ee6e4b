//! Asked, and not listened to.
use tokio_ctx::Context;

pub fn sum(ctx: &Context, rows: &[Row]) -> u64 {
    let mut sum = 0;
    for row in rows {
        let _ = ctx.check(); //~ swallowed
        sum += row.amount;
    }
    sum
}
