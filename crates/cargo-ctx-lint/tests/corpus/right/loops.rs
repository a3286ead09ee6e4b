//! Loops that derive without growing.
use tokio_ctx::Context;

async fn batch(ctx: &Context, parent: &Context, items: Vec<Item>) {
    let mut current = parent.clone();
    for item in &items {
        let ctx = ctx.with_value::<ItemId>(item.id);
        handle(&ctx, item).await;
        current = parent.with_timeout(LIMIT);
    }
    for item in &items {
        let mut inner = ctx.clone();
        inner = inner.with_value::<ItemId>(item.id);
    }
    let mut outer = ctx.clone();
    loop {
        if last() {
            outer = outer.with_timeout(LIMIT);
            break;
        }
    }
    outer = outer.with_name("after");
    let mut builder = Client::builder();
    for header in headers {
        builder = builder.with_value(header).with_timeout(LIMIT);
    }
}
