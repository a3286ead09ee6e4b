//! The function itself is imported, under another name.
use tokio::spawn as go;
use tokio_ctx::Context;

fn start(ctx: Context, jobs: Vec<Job>) {
    for job in jobs {
        go(job.run()); //~ bare-spawn
    }
}
