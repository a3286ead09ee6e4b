//! Growth by a fold, another name, a replacement and a reference.
use std::mem;
use tokio_ctx::{Budget, Context};

async fn turns(ctx: &Context, items: Vec<Item>) {
    let all = items.iter().fold(ctx.clone(), |ctx, item| ctx.with_value::<Id>(item.id)); //~ context-reassigned-in-loop
    let tried = items.iter().try_fold(ctx.clone(), |ctx, _| {
        ctx.with_budget(Budget::fraction(0.9)) //~ context-reassigned-in-loop
    });
    let mut current = ctx.clone();
    for item in &items {
        let next = current.with_value::<Id>(item.id);
        item.run(&next).await;
        current = next; //~ context-reassigned-in-loop
    }
    for item in &items {
        let deeper = current.with_name("turn");
        let before = mem::replace(&mut current, deeper); //~ context-reassigned-in-loop
        log(&before);
    }
    while running() {
        if let Ok(smaller) = current.with_budget(Budget::fraction(0.9)) {
            current = smaller; //~ context-reassigned-in-loop
        }
    }
}
