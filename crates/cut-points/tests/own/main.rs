//! Our own medicine: what contexts and scopes promise, cut at every point.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cut_points::{Outcome, World, world};
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_ctx::{Cancelled, Context, ScopeOptions, scope};

/// Counts what is inside of tasks: it must be nothing once their scope has returned.
#[derive(Clone, Default)]
struct Inside(Arc<AtomicUsize>);

struct Entered(Inside);

impl Inside {
    fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::SeqCst);
        Entered(self.clone())
    }

    #[track_caller]
    fn is_empty(&self) {
        assert_eq!(self.0.load(Ordering::SeqCst), 0, "a task is still inside");
    }

    /// Work in three steps that hears its context.
    async fn work(&self, ctx: &Context) -> Result<u32, Cancelled> {
        let _entered = self.enter();
        ctx.run(sleep(Duration::from_millis(3))).await?;
        ctx.run(yield_now()).await?;
        ctx.check()?;
        Ok(7)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn inside() -> World<Inside> {
    world(async || Inside::default()).check(async |inside: &Inside| inside.is_empty())
}

async fn three_tasks(inside: &Inside, ctx: &Context) -> Result<(), Cancelled> {
    let of_tasks = inside.clone();
    let done = scope(ctx, async move |s| {
        let tasks = [(); 3].map(|()| {
            let inside = of_tasks.clone();
            s.spawn(async move |ctx: Context| inside.work(&ctx).await)
        });
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok::<_, Cancelled>(sum)
    });
    let done = done.await;
    inside.is_empty(); // joined, whatever the result is
    assert!(done.as_ref().is_ok_and(|sum| *sum == 21) || done.is_err());
    done.map(drop)
}

#[test]
fn a_scope_that_is_cancelled_anywhere_returns_when_its_tasks_have_ended() {
    let report = inside()
        .cancel_everywhere(async |inside: &Inside, ctx: &Context| three_tasks(inside, ctx).await);
    report.assert_ok();
    assert!(report.points() > 8, "{report}");
    let all = report.cuts().iter().map(cut_points::Cut::outcome);
    assert!(
        all.clone()
            .all(|end| matches!(end, Outcome::Cancelled | Outcome::Finished))
    );
    assert!(
        all.filter(|end| **end == Outcome::Cancelled).count() > 4,
        "{report}"
    );
}

#[test]
fn a_scope_that_is_dropped_anywhere_leaves_no_task() {
    let ctx = Context::background();
    let drop = async move |inside: &Inside| three_tasks(inside, &ctx).await;
    inside().drop_everywhere(drop).assert_ok();
}

#[test]
fn a_scope_in_a_runtime_that_is_dropped_anywhere_leaves_no_task() {
    let ctx = Context::background();
    let crash = async move |inside: &Inside| three_tasks(inside, &ctx).await;
    inside().crash_everywhere(crash).assert_ok();
}

#[test]
fn a_scope_inside_of_one_that_is_given_up_is_joined_by_the_one_around_it() {
    async fn nested(inside: &Inside, ctx: &Context) -> Result<(), Cancelled> {
        let outer = inside.clone();
        let done = scope(ctx, async move |s| {
            let ctx = s.context().clone();
            tokio::select! {
                biased;
                done = three_unawaited(&outer, &ctx) => done?,
                () = sleep(Duration::from_millis(2)) => {} // gives the inner scope up
            }
            Ok::<_, Cancelled>(())
        });
        let done = done.await;
        inside.is_empty();
        done
    }

    async fn three_unawaited(inside: &Inside, ctx: &Context) -> Result<(), Cancelled> {
        let inside = inside.clone();
        scope(ctx, async move |s| {
            for _ in 0..3 {
                let inside = inside.clone();
                s.spawn(async move |ctx: Context| inside.work(&ctx).await);
            }
            Ok::<_, Cancelled>(())
        })
        .await
    }

    let cancelled = inside()
        .cancel_everywhere(async |inside: &Inside, ctx: &Context| nested(inside, ctx).await);
    cancelled.assert_ok();
    let ctx = Context::background();
    let dropped = inside().drop_everywhere(async move |inside: &Inside| nested(inside, &ctx).await);
    dropped.assert_ok();
}

#[test]
fn an_error_in_one_task_ends_the_others_wherever_the_scope_is_cut() {
    #[derive(Debug)]
    enum Failure {
        Broken,
        Stopped(#[expect(dead_code, reason = "printed")] Cancelled),
    }
    impl From<Cancelled> for Failure {
        fn from(cancelled: Cancelled) -> Failure {
            Failure::Stopped(cancelled)
        }
    }
    async fn failing(inside: &Inside, ctx: &Context) -> Result<(), Failure> {
        let of_tasks = inside.clone();
        let failed = scope(ctx, async move |s| {
            let inside = of_tasks.clone();
            s.spawn(async move |ctx: Context| inside.work(&ctx).await.map_err(Failure::from));
            s.spawn(async move |ctx: Context| {
                let _entered = of_tasks.enter();
                ctx.run(sleep(Duration::from_millis(1))).await?;
                Err::<(), _>(Failure::Broken)
            });
            Ok::<_, Failure>(())
        });
        let failed = failed.await;
        inside.is_empty();
        match failed {
            Err(Failure::Broken) => Ok(()), // as it should, uncut
            Err(stopped) => Err(stopped),
            Ok(()) => panic!("the error is lost"),
        }
    }
    let report = inside()
        .cancel_everywhere(async |inside: &Inside, ctx: &Context| failing(inside, ctx).await);
    report.assert_ok();
    let ctx = Context::background();
    inside()
        .drop_everywhere(async move |inside: &Inside| failing(inside, &ctx).await)
        .assert_ok();
}

#[test]
fn a_limit_gives_its_slots_back_wherever_the_scope_is_cut() {
    async fn limited(inside: &Inside, ctx: &Context) -> Result<(), Cancelled> {
        let of_tasks = inside.clone();
        let options = ScopeOptions::new().limit(1);
        let done = options.run(ctx, async move |s| {
            for _ in 0..3 {
                let inside = of_tasks.clone();
                let slot = s.slot().await?; // cut here, it gives up its place in line
                slot.spawn(async move |ctx: Context| inside.work(&ctx).await);
            }
            Ok::<_, Cancelled>(())
        });
        let done = done.await;
        inside.is_empty();
        done
    }
    let report = inside()
        .cancel_everywhere(async |inside: &Inside, ctx: &Context| limited(inside, ctx).await);
    report.assert_ok();
    let ctx = Context::background();
    inside()
        .drop_everywhere(async move |inside: &Inside| limited(inside, &ctx).await)
        .assert_ok();
}

#[test]
fn a_callback_runs_exactly_once_wherever_its_context_is_cancelled() {
    let calls = async || Arc::new(AtomicUsize::new(0));
    let report =
        world(calls)
            .once()
            .cancel_everywhere(async |calls: &Arc<AtomicUsize>, ctx: &Context| {
                let called = Arc::clone(calls);
                let registered = ctx.on_cancel(move |_| {
                    called.fetch_add(1, Ordering::SeqCst);
                });
                let worked = ctx.run(sleep(Duration::from_millis(3))).await;
                let expected = usize::from(worked.is_err());
                assert_eq!(
                    calls.load(Ordering::SeqCst),
                    expected,
                    "before it is taken back"
                );
                drop(registered);
                worked
            });
    report.assert_ok();
}
