//! Tasks that outlive their request, by three names of one function.
use tokio::task;
use tokio_ctx::Context;

async fn fetch_all(ctx: &Context, urls: Vec<String>) {
    for url in urls {
        tokio::spawn(fetch(url)); //~ bare-spawn
    }
    task::spawn(async { flush().await }); //~ bare-spawn
    task::spawn_local(tidy()); //~ bare-spawn
    done(ctx).await;
}
