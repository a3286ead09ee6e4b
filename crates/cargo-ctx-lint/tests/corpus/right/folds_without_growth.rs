//! Folds and loops that derive for one turn only, or build once.
use tokio_ctx::Context;

pub async fn all(ctx: &Context, items: Vec<Item>) -> u64 {
    let total = items.iter().fold(0, |sum, item| sum + weigh(&ctx.with_value::<Id>(item.id)));
    let limits = items.iter().map(|item| ctx.with_timeout(item.limit)).collect::<Vec<_>>();
    let mut current = ctx.with_timeout(LIMIT);
    for item in &items {
        let next = ctx.with_value::<Id>(item.id);
        item.run(&next).await;
        current = next;
    }
    let mut best = None;
    for limit in limits {
        best = best.max(limit.deadline());
    }
    total
}
