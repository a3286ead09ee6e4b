//! No context was handed over, so none can be passed on.
use tokio_ctx::Context;

fn start(jobs: Vec<Job>) {
    for job in jobs {
        tokio::spawn(job.run());
    }
}

fn unused(_ctx: &Context) {
    tokio::spawn(tidy());
}

fn other_spawn(ctx: &Context) {
    pool.spawn(compute());
    let spawn = |n: u32| n;
    my::spawn(ctx);
}
