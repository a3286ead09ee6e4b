//! The state of a future is the future, also inside a macro that projects pins.
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use tokio_ctx::Context;

pin_project! {
    pub struct Call<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] inner: F, ctx: Context },
        Over,
    }
}

impl<F> Future for Call<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
