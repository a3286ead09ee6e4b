//! The tasks that a server runs for its clients: [`Tasks`].

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use hyper::rt::Executor;
use spawn_scoped::Scope;
use tokio_ctx_core::Cancelled;

/// Spawns tasks that are joined with the server and cannot fail it.
#[derive(Clone, Debug)]
pub(super) struct Tasks(pub(super) Scope<Cancelled>);

impl Tasks {
    pub(super) fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        drop(self.0.task().name(name).spawn(move |_| caught(future)));
    }
}

/// The streams of HTTP/2.
impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.spawn("stream", stream);
    }
}

/// What panics takes its connection along, or its stream, not the server.
async fn caught(future: impl Future<Output = ()>) -> Result<(), Cancelled> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled,
            // Its message went through the panic hook.
            Err(_payload) => Poll::Ready(()),
        },
    )
    .await;
    Ok(())
}
