//! A pipeline whose stages stop when the reader at its end goes away.
//!
//! Run: `cargo run -p examples --example pipeline`
//!
//! Go's classic: a generator that nobody reads from any more blocks for ever on its send and
//! leaks. Here each send races the context, the scope waits for both stages, and "the reader
//! has enough" is said once, by cancelling the scope. What the stages return after that no
//! longer decides.

use tokio::sync::mpsc;
use tokio_ctx::scope;
use tokio_ctx::{Cancelled, Context};

async fn numbers(ctx: &Context, out: mpsc::Sender<u64>) -> Result<(), Cancelled> {
    for number in 1.. {
        if ctx.run(out.send(number)).await?.is_err() {
            break;
        }
    }
    Ok(())
}

async fn squares(
    ctx: &Context,
    mut input: mpsc::Receiver<u64>,
    out: mpsc::Sender<u64>,
) -> Result<(), Cancelled> {
    while let Some(number) = ctx.run(input.recv()).await? {
        if ctx.run(out.send(number * number)).await?.is_err() {
            break;
        }
    }
    Ok(())
}

pub(crate) async fn squares_until(ctx: &Context, limit: u64) -> Result<Vec<u64>, Cancelled> {
    scope(ctx, async |s| {
        let (to_squares, from_numbers) = mpsc::channel(1);
        let (to_reader, mut from_squares) = mpsc::channel(1);
        s.spawn(async move |ctx| numbers(&ctx, to_squares).await);
        s.spawn(async move |ctx| squares(&ctx, from_numbers, to_reader).await);

        let mut read = Vec::new();
        while let Some(square) = from_squares.recv().await {
            if square > limit {
                s.cancel();
                break;
            }
            read.push(square);
        }
        Ok(read)
    })
    .await
}

#[tokio::main]
async fn main() -> Result<(), Cancelled> {
    let read = squares_until(&Context::background(), 50).await?;
    println!("{read:?}");
    assert_eq!(read, [1, 4, 9, 16, 25, 36, 49]);

    // The same, stopped from above: then it is an error, since nobody had enough.
    let request = Context::background().with_cancel();
    request.cancel_with("client gone");
    let stopped = squares_until(&request, 50).await.unwrap_err();
    println!("{stopped}");
    assert!(stopped.to_string().contains("client gone"));
    Ok(())
}
