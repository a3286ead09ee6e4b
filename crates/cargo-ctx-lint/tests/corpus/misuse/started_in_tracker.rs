//! tokio-util's tracker waits for tasks, it does not stop them.
use tokio_ctx::Context;
use tokio_util::task::TaskTracker;

pub async fn import(ctx: &Context, batches: Vec<Batch>) -> Result<(), Error> {
    let tracker = TaskTracker::new();
    for batch in batches {
        tracker.spawn(store(batch)); //~ started
    }
    tracker.close();
    ctx.run(tracker.wait()).await?;
    Ok(())
}
