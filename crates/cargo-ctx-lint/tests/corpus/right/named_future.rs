//! A hand-written future is a call, and the context its argument.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

struct Wait {
    ctx: tokio_ctx::Context,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

struct Ticks {
    ctx: tokio_ctx::Context,
}

impl futures_core::Stream for Ticks {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        Poll::Ready(None)
    }
}
