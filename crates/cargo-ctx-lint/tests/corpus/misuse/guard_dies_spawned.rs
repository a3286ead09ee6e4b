//! A task under a guard that dies when the function returns.
use tokio_ctx::{Context, Scope};

pub fn begin(ctx: &Context, s: &Scope<Error>, job: Job) {
    let guard = ctx.with_cancel();
    let under = guard.clone();
    tokio::spawn(async move { job.run(&under).await }); //~ guard
}
