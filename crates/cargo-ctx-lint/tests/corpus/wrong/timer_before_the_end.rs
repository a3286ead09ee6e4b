//! The context is still running: the branch on it left.
use tokio_ctx::Context;

async fn run(ctx: &Context, mut rx: Rx) {
    tokio::select! {
        _ = ctx.done() => return,
        _ = rx.recv() => {}
    }
    tokio::time::sleep(PAUSE).await; //~ bare-timer
    if late() {
        ctx.done().await;
    }
    tokio::time::sleep(PAUSE).await; //~ bare-timer
    loop {
        if rx.is_empty() { break; }
    }
    tokio::spawn(tidy()); //~ bare-spawn
}
