//! Contexts that grow with every turn.
use tokio_ctx::{CancelGuard, Context};

async fn batch(ctx: &Context, items: Vec<Item>) {
    let mut ctx = ctx.clone();
    for item in items {
        ctx = ctx.with_value::<ItemId>(item.id); //~ context-reassigned-in-loop
        handle(&ctx, item).await;
    }
}

async fn poll(ctx: Context) {
    let mut ctx = ctx;
    while running() {
        if late() {
            ctx = ctx.clone().with_timeout(STEP); //~ context-reassigned-in-loop
        }
        step(&ctx).await;
    }
}

fn pile(ctx: &Context) {
    let mut guard = ctx.with_cancel();
    loop {
        guard = guard.map(|ctx| ctx.with_name("turn")); //~ context-reassigned-in-loop
    }
}
