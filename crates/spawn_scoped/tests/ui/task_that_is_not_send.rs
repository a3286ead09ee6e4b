//! What is not `Send` goes into `spawn_local`.

use std::rc::Rc;

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

async fn local(ctx: &Context) -> Result<usize, Cancelled> {
    scope(ctx, async |s| {
        let text = Rc::new(String::from("local"));
        s.spawn(async move |_| Ok::<_, Cancelled>(text.len())).await
    })
    .await
}

fn main() {
    drop(local(&Context::background()));
}
