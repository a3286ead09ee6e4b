//! Bulk work that is throttled, and whose waiting for a slot ends with the context too.
//!
//! Run: `cargo run -p examples --example throttled`
//!
//! In Go a limited group blocks its caller for a slot even after the work was called off.
//! Here the slot is taken before the task exists and waited for under the scope's context, so
//! nothing queues behind work that nobody wants any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_ctx::{Cancelled, Context, ScopeOptions};

const LIMIT: usize = 8;

#[derive(Default)]
pub(crate) struct Gauge {
    pub(crate) now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) done: AtomicUsize,
}

async fn upload(ctx: &Context, gauge: &Gauge) -> Result<(), Cancelled> {
    let now = gauge.now.fetch_add(1, Ordering::Relaxed) + 1;
    gauge.most.fetch_max(now, Ordering::Relaxed);
    let result = ctx.run(tokio::task::yield_now()).await;
    gauge.now.fetch_sub(1, Ordering::Relaxed);
    result?;
    gauge.done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Uploads `items` things, at most [`LIMIT`] at a time; calls it off after `enough` of them.
pub(crate) async fn upload_all(
    ctx: &Context,
    items: usize,
    enough: usize,
) -> Result<Arc<Gauge>, Cancelled> {
    let gauge = Arc::new(Gauge::default());
    let shared = Arc::clone(&gauge);
    ScopeOptions::new()
        .limit(LIMIT)
        .run(ctx, async |s| {
            for item in 0..items {
                if item == enough {
                    s.cancel();
                }
                let Ok(slot) = s.slot().await else {
                    break; // The scope ended: the rest is not wanted.
                };
                let gauge = Arc::clone(&shared);
                slot.spawn(async move |ctx| upload(&ctx, &gauge).await);
            }
            Ok(())
        })
        .await?;
    Ok(gauge)
}

#[tokio::main]
async fn main() -> Result<(), Cancelled> {
    let ctx = Context::background();

    let all = upload_all(&ctx, 1000, usize::MAX).await?;
    let (most, done) = (
        all.most.load(Ordering::Relaxed),
        all.done.load(Ordering::Relaxed),
    );
    println!("{done} uploaded, never more than {most} at a time");
    assert!(most <= LIMIT);
    assert_eq!(done, 1000);

    let some = upload_all(&ctx, 1000, 100).await?;
    let done = some.done.load(Ordering::Relaxed);
    println!("{done} uploaded before it was called off");
    assert!(done <= 100);
    assert_eq!(
        some.now.load(Ordering::Relaxed),
        0,
        "all that started was waited for"
    );
    Ok(())
}
