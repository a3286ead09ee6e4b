//! The examples that serve somebody under `cut-points`: a cache, queues, a subscription, a handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cut_points::world;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_ctx::{Cancelled, Context, scope};

use self::caching::cache::{Backend, Cache, LoadError};
use super::cut_examples::assert_cancelled_or_finished;

#[path = "../../examples/batch_producer.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod batch_producer;
#[path = "../../examples/cache.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod caching;
#[path = "../../examples/message_queue.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod message_queue;
#[path = "../../examples/subscription.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod subscription;
#[path = "../../examples/ten_minutes.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod ten_minutes;
#[path = "../../examples/trace_id.rs"]
#[allow(dead_code, reason = "its main function is for the example")]
mod trace_id;

/// Counts the loads that it begins.
struct Numbered(Arc<AtomicU32>);

#[tonic::async_trait]
impl Backend for Numbered {
    async fn load(&self, ctx: &Context, _: &str) -> Result<u32, LoadError> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        ctx.run(sleep(Duration::from_millis(10))).await?;
        Ok(number)
    }
}

#[test]
fn a_caller_of_the_cache_that_is_cancelled_anywhere_leaves_the_value_to_the_next() {
    let report = world(async || Arc::new(AtomicU32::new(0)))
        .once()
        .cancel_everywhere(async |loads: &Arc<AtomicU32>, ctx: &Context| {
            scope(&Context::background(), async |s| {
                let minute = Duration::from_secs(60);
                let cache = Cache::new(s.spawner(), minute, Numbered(Arc::clone(loads)));
                let first = cache.get(ctx, "a").await;
                sleep(Duration::from_millis(20)).await;
                let next = cache.get(s.context(), "a").await.expect("it is loaded");
                assert_eq!(next, 0, "it was loaded again");
                first
            })
            .await
        });
    report.assert_ok();
    assert!(report.points() >= 3, "{report}");
}

#[test]
fn an_answer_from_a_queue_that_is_cancelled_anywhere_leaves_the_worker_at_work() {
    let report = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        let server = Context::background();
        let asked = scope(&server, async |s| {
            let (queue, jobs) = mpsc::channel(1);
            let worker = s.spawn(async move |ctx| message_queue::work(&ctx, jobs).await);
            let first = message_queue::ask(ctx, &queue, 7).await;
            let next = message_queue::ask(s.context(), &queue, 9).await?;
            assert_eq!(next, "9² = 81 for nobody");
            drop(queue);
            worker.await?;
            Ok::<_, Cancelled>(first)
        });
        asked.await.expect("the worker is at work")
    });
    assert_cancelled_or_finished(&report);
}

#[test]
fn a_record_whose_caller_is_cancelled_anywhere_spoils_no_batch() {
    let report = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        let server = Context::background();
        let sent = scope(&server, async |s| {
            let (producer, records) = mpsc::channel(1);
            let writer = s.spawn(async move |ctx| batch_producer::produce(&ctx, records, 3).await);
            let first = batch_producer::send(ctx, &producer, "one".into()).await;
            let batch = batch_producer::send(s.context(), &producer, "two".into()).await?;
            drop(producer);
            let sizes = writer.await?;
            assert!(sizes.len() >= batch, "batch {batch} of {sizes:?}");
            Ok::<_, Cancelled>(first)
        });
        sent.await.expect("the producer is at work")
    });
    assert_cancelled_or_finished(&report);
}

#[test]
fn a_subscription_that_is_cancelled_anywhere_loses_no_event_that_it_took() {
    let report = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        let (publish, events) = mpsc::channel(1);
        let (seen, mut log) = mpsc::unbounded_channel();
        let publishing = async move {
            let mut taken = 0;
            while taken < 3 && publish.send(taken).await.is_ok() {
                taken += 1;
            }
            taken
        };
        let follow = subscription::follow(ctx, events, seen);
        let (end, taken): (Result<(), Cancelled>, u32) = tokio::join!(follow, publishing);
        let logged = std::iter::from_fn(|| log.try_recv().ok()).count();
        // One may still have been in the channel.
        assert!(logged + 1 >= taken as usize, "{logged} of {taken}");
        end
    });
    assert_cancelled_or_finished(&report);
}

#[test]
fn a_handler_that_is_cancelled_or_dropped_anywhere_leaves_no_query() {
    let cancelled =
        world(async || ()).cancel_everywhere(async |(), ctx: &Context| trace_id::handle(ctx).await);
    assert_cancelled_or_finished(&cancelled);
    let dropped = world(async || ())
        .drop_everywhere(async |()| trace_id::handle(&Context::background()).await);
    dropped.assert_ok();
    assert!(dropped.points() >= 3, "{dropped}");
}

#[test]
fn the_report_of_the_first_ten_minutes_stops_wherever_its_client_leaves() {
    let cancelled = world(async || ()).cancel_everywhere(async |(), ctx: &Context| {
        let report = ten_minutes::report(ctx.clone()).await;
        report.map_err(|why| why.to_string())
    });
    cancelled.assert_ok();
    let dropped = world(async || ())
        .drop_everywhere(async |()| ten_minutes::report(Context::background()).await);
    dropped.assert_ok();
    assert!(dropped.points() >= 60, "{dropped}");
}
