//! A select with a branch on the context.
use tokio_ctx::Context;

async fn wait(ctx: &Context, mut rx: Rx) {
    let timer = tokio::time::sleep(PAUSE);
    tokio::pin!(timer);
    loop {
        tokio::select! {
            cancelled = ctx.done() => return Err(cancelled),
            _ = &mut timer => break,
            _ = async { tokio::time::sleep(PAUSE).await } => {}
            Some(item) = rx.recv(), if !rx.is_empty() => handle(ctx, item).await,
            else => break,
        }
    }
    futures::select! {
        _ = ctx.done() => {},
        item = rx.next() => { use_it(item) }
        complete => return,
    }
}
