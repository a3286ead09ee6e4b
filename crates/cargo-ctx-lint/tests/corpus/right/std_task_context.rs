//! The Context of `std::task`.
use std::pin::Pin;
use std::task::{Context, Poll};

struct Poller<'a> {
    context: Context<'a>,
}

fn poll(waker: &Waker, context: &mut Context<'_>) -> Poll<()> {
    let ctx = Context::from_waker(waker);
    Poll::Pending
}
