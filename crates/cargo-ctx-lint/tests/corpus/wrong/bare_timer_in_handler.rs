//! The handler of a branch runs when the select is over: nothing covers it.
use tokio_ctx::Context;

async fn pump(ctx: &Context, mut rx: Rx) {
    loop {
        tokio::select! {
            biased;
            _ = ctx.done() => break,
            Some(item) = rx.recv(), if open => {
                tokio::time::sleep(PAUSE).await; //~ bare-timer
            }
            else => return,
        }
    }
}
