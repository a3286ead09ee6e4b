//! Shapes of `select!` that must parse.
use tokio_ctx::Context;

async fn run(ctx: &Context) {
    tokio::select! {
        () = ctx.done() => (),
        Ok(a) | Err(a) = call() => match a { _ => {} },
        v = async { 1 }, if true && ready() => { v }
    }
    tokio::select! {
        biased;
        r = ctx.run(call()) => return r,
        else => {}
    };
    select! {}
}
