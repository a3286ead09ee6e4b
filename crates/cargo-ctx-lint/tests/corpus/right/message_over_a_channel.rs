//! A message carries the context of the request that sent it.
use tokio::sync::{mpsc, oneshot};
use tokio_ctx::Context;

struct Job {
    ctx: Context,
    reply: oneshot::Sender<u64>,
}

enum Command {
    Stop,
    Run(Task),
}

struct Task {
    ctx: Context,
}

struct Worker {
    jobs: mpsc::Receiver<Job>,
    commands: flume::Sender<(u32, Command)>,
}
