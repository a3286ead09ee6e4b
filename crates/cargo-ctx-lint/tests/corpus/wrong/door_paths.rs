//! The door and the crates behind it are the same to the rules.
use tokio_ctx_core as core;

struct Kept {
    one: core::Context, //~ context-in-struct
    two: tokio_ctx::Context, //~ context-in-struct
}

async fn run(ctx: &tokio_ctx::Context) -> Result<(), Error> {
    tokio_ctx::scope(ctx, async |s| {
        tokio::spawn(work()); //~ bare-spawn
        s.spawn(async move |ctx| load(&core::Context::background()).await).await //~ context-not-passed
    })
    .await
}

tokio_ctx_core::key! { pub Password: String, print } //~ secret-key-prints
