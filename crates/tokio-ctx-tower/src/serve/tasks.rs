//! The tasks that a server runs for its clients: [`Tasks`].

use hyper::rt::Executor;
use spawn_scoped::Spawner;

/// Spawns tasks that are joined with the server and cannot fail it: what panics takes its
/// connection along, or its stream.
#[derive(Clone, Debug)]
pub(super) struct Tasks(pub(super) Spawner);

impl Tasks {
    pub(super) fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        drop(self.0.task().name(name).spawn(move |_| future));
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
