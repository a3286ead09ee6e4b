//! Task scopes: rows 13 to 16.
//!
//! Every side spawns the same tasks from inside of a spawned task and goes on when all of
//! them are finished, having looked at what each returned. The scope does it with all it
//! promises; no option takes anything away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};
use tokio_ctx::scope;
use tokio_ctx::{Cancelled, Context};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::go::Go;
use crate::harness::Group;

const MANY: usize = 10_000;
const FEW: usize = 3;

/// A kind of runtime.
#[derive(Clone, Copy)]
pub(crate) enum Flavour {
    CurrentThread,
    Workers(usize),
}

impl Flavour {
    pub(crate) const ALL: [Flavour; 3] = [
        Flavour::CurrentThread,
        Flavour::Workers(1),
        Flavour::Workers(2),
    ];

    fn name(self) -> &'static str {
        match self {
            Flavour::CurrentThread => "current-thread",
            Flavour::Workers(1) => "1 worker",
            Flavour::Workers(_) => "2 workers",
        }
    }

    /// The target of this kind of runtime.
    fn pick(self, current_thread: f64, workers: f64) -> f64 {
        match self {
            Flavour::CurrentThread => current_thread,
            Flavour::Workers(_) => workers,
        }
    }

    /// As many processors for Go.
    fn processors(self) -> usize {
        match self {
            Flavour::CurrentThread => 1,
            Flavour::Workers(workers) => workers,
        }
    }

    pub(crate) fn runtime(self) -> Runtime {
        let mut builder = match self {
            Flavour::CurrentThread => Builder::new_current_thread(),
            Flavour::Workers(workers) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
        };
        builder.enable_all().build().expect("a runtime starts")
    }
}

/// Runs `work` `times` times inside of a task of `runtime`.
macro_rules! inside {
    ($runtime:expr, $times:expr, $work:expr) => {{
        let times = $times;
        let task = $runtime.spawn(async move {
            let start = Instant::now();
            for _ in 0..times {
                $work.await;
            }
            start.elapsed()
        });
        $runtime.block_on(task).expect("the work does not panic")
    }};
}

async fn task(yields: bool) {
    if yields {
        yield_now().await;
    }
}

pub(crate) async fn scoped(count: usize, yields: bool) {
    let result: Result<(), Cancelled> = scope(&Context::background(), async move |s| {
        for _ in 0..count {
            drop(s.spawn(async move |_ctx| {
                task(yields).await;
                Ok(())
            }));
        }
        Ok(())
    })
    .await;
    result.expect("no task fails");
}

/// A scope whose body awaits each task.
async fn scoped_awaiting(count: usize, yields: bool) {
    let result: Result<(), Cancelled> = scope(&Context::background(), async move |s| {
        let mut tasks = Vec::with_capacity(count);
        for _ in 0..count {
            tasks.push(s.spawn(async move |_ctx| {
                task(yields).await;
                Ok(())
            }));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
    .await;
    result.expect("no task fails");
}

pub(crate) async fn join_set(count: usize, yields: bool) {
    let mut set = JoinSet::new();
    for _ in 0..count {
        set.spawn(async move {
            task(yields).await;
            Ok::<(), Cancelled>(())
        });
    }
    while let Some(joined) = set.join_next().await {
        assert!(joined.is_ok_and(|result| result.is_ok()));
    }
}

pub(crate) async fn bare(count: usize, yields: bool) {
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(tokio::spawn(async move {
            task(yields).await;
            Ok::<(), Cancelled>(())
        }));
    }
    for handle in handles {
        assert!(handle.await.is_ok_and(|result| result.is_ok()));
    }
}

/// One of those that [`least`] waits for.
struct Inside(Arc<(AtomicUsize, Notify)>);

impl Inside {
    fn enter(entrance: &Arc<(AtomicUsize, Notify)>) -> Inside {
        entrance.0.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(entrance))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.notify_one();
        }
    }
}

async fn with_context(_ctx: Context, yields: bool) -> Result<(), Cancelled> {
    task(yields).await;
    Ok(())
}

/// What a scope cannot do without, done in the shortest way: each task owns a context, is
/// counted until it is gone, and is in a list by which it can be aborted. No names, no errors,
/// no panics, nobody to take the tasks over.
async fn least(count: usize, yields: bool) {
    let ctx = Context::background().with_cancel();
    let entrance = Arc::new((AtomicUsize::new(0), Notify::new()));
    let list = Mutex::new(Vec::new());
    let body = Inside::enter(&entrance);
    for _ in 0..count {
        let inside = Inside::enter(&entrance);
        let work = with_context(Context::clone(&ctx), yields);
        let handle = tokio::spawn(async move {
            let result = work.await;
            drop(inside);
            result
        });
        let abort = handle.abort_handle();
        list.lock().expect("nobody panics").push(abort);
    }
    drop(body);
    while entrance.0.load(Ordering::Acquire) > 0 {
        entrance.1.notified().await;
    }
}

/// Bare tasks that own a context each, as those of a scope do.
async fn bare_with_context(count: usize, yields: bool) {
    let ctx = Context::background().with_cancel();
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(tokio::spawn(with_context(Context::clone(&ctx), yields)));
    }
    for handle in handles {
        assert!(handle.await.is_ok_and(|result| result.is_ok()));
    }
}

/// Waits for all, but nobody sees what the tasks returned.
async fn tracked(count: usize, yields: bool) {
    let tracker = TaskTracker::new();
    for _ in 0..count {
        drop(tracker.spawn(async move {
            task(yields).await;
            Ok::<(), Cancelled>(())
        }));
    }
    tracker.close();
    tracker.wait().await;
}

/// Not tasks of the runtime, but futures inside of one: no parallelism, no `'static`.
async fn moro_scope(count: usize, yields: bool) {
    let result: Result<(), Cancelled> = moro::async_scope!(|s| {
        for _ in 0..count {
            drop(s.spawn(async move {
                task(yields).await;
                Ok::<(), Cancelled>(())
            }));
        }
        Ok(())
    })
    .await;
    result.expect("no task fails");
}

fn rivals<'a>(
    go: &'a Go,
    go_work: Option<&'static str>,
    flavour: Flavour,
    count: usize,
    yields: bool,
) -> Group<'a> {
    let runtime = Arc::new(flavour.runtime());
    let per = count as u64;
    // Of few tasks the whole scope is of interest, of many the single task.
    let per = if count == MANY { per } else { 1 };
    macro_rules! side {
        ($work:ident) => {{
            let runtime = Arc::clone(&runtime);
            move |times: u64| -> Duration { inside!(runtime, times, $work(count, yields)) }
        }};
    }
    let group = Group::new()
        .timed("scope", side!(scoped))
        .per(per)
        .timed("bare `tokio::spawn`", side!(bare))
        .per(per)
        .timed("JoinSet", side!(join_set))
        .per(per)
        .timed("TaskTracker", side!(tracked))
        .per(per)
        .timed("scope, each awaited", side!(scoped_awaiting))
        .per(per)
        .timed("bare, with a context each", side!(bare_with_context))
        .per(per)
        .timed("the least a scope needs", side!(least))
        .per(per);
    match go_work {
        Some(work) => group
            .go("Go errgroup", go, work, flavour.processors())
            .per(per),
        None => group,
    }
}

/// Row names by what is spawned and where.
fn what(what: &str, flavour: Flavour) -> String {
    format!("{what}, {}", flavour.name())
}

/// The rows that say what a scope of awaited tasks costs, and what the least possible cost is.
fn against_bare<'a>(group: Group<'a>, work: &str) -> Group<'a> {
    [
        "scope, each awaited",
        "bare, with a context each",
        "the least a scope needs",
    ]
    .into_iter()
    .fold(group, |group, ours| {
        group.row("14i", work, ours, "bare `tokio::spawn`", None)
    })
}

pub(super) fn many(go: &Go, flavour: Flavour) -> Group<'_> {
    let work = what("scope of 10,000 trivial tasks", flavour);
    let group = rivals(go, Some("group10000"), flavour, MANY, false)
        .row("13", &work, "scope", "JoinSet", 0.85)
        .row(
            "14",
            &work,
            "scope",
            "bare `tokio::spawn`",
            flavour.pick(1.25, 1.15),
        );
    against_bare(group, &work)
        .row("13i", &work, "scope", "TaskTracker", None)
        .row("15", &work, "scope", "Go errgroup", 1.30)
}

pub(super) fn many_yielding(go: &Go, flavour: Flavour) -> Group<'_> {
    let work = what("scope of 10,000 tasks that yield once", flavour);
    let group = rivals(go, Some("group10000y"), flavour, MANY, true)
        .row("13", &work, "scope", "JoinSet", 0.85)
        .row("14b", &work, "scope", "bare `tokio::spawn`", 1.25);
    against_bare(group, &work)
        .row("13i", &work, "scope", "TaskTracker", None)
        .row("15i", &work, "scope", "Go errgroup", None)
}

pub(super) fn few(go: &Go, flavour: Flavour) -> Group<'_> {
    let work = what("scope of 3 tasks", flavour);
    let runtime = flavour.runtime();
    let group = rivals(go, Some("group3"), flavour, FEW, false)
        .timed("moro", move |times| {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..times {
                    moro_scope(FEW, false).await;
                }
                start.elapsed()
            })
        })
        .row("13b", &work, "scope", "JoinSet", flavour.pick(0.95, 0.85))
        .row("14b", &work, "scope", "bare `tokio::spawn`", 1.40);
    against_bare(group, &work)
        .row("13i", &work, "scope", "TaskTracker", None)
        .row("13i", &work, "scope", "moro", None)
        .row("15", &work, "scope", "Go errgroup", 1.50)
}

/// Yields until all tasks have been polled once; polled once, they wait.
async fn all_wait(polled: &AtomicUsize) {
    while polled.load(Ordering::Acquire) < MANY {
        yield_now().await;
    }
}

async fn scoped_cancel() -> Duration {
    let polled = Arc::new(AtomicUsize::new(0));
    let mut start = Instant::now();
    let result: Result<(), Cancelled> = scope(&Context::background(), async |s| {
        for _ in 0..MANY {
            let polled = Arc::clone(&polled);
            drop(s.spawn(async move |ctx| {
                polled.fetch_add(1, Ordering::AcqRel);
                ctx.done().await;
                Ok(())
            }));
        }
        all_wait(&polled).await;
        start = Instant::now();
        s.cancel();
        Ok(())
    })
    .await;
    assert!(result.is_ok());
    start.elapsed()
}

async fn join_set_cancel() -> Duration {
    let polled = Arc::new(AtomicUsize::new(0));
    let token = CancellationToken::new();
    let mut set = JoinSet::new();
    for _ in 0..MANY {
        let (polled, token) = (Arc::clone(&polled), token.clone());
        set.spawn(async move {
            polled.fetch_add(1, Ordering::AcqRel);
            token.cancelled().await;
            Ok::<(), Cancelled>(())
        });
    }
    all_wait(&polled).await;
    let start = Instant::now();
    token.cancel();
    while let Some(joined) = set.join_next().await {
        assert!(joined.is_ok_and(|result| result.is_ok()));
    }
    start.elapsed()
}

/// From the cancel until all are joined; the spawning does not count on any side.
pub(super) fn cancelled(go: &Go, flavour: Flavour) -> Group<'_> {
    let work = what("cancel 10,000 waiting tasks and join them", flavour);
    let runtime = Arc::new(flavour.runtime());
    macro_rules! side {
        ($work:ident) => {{
            let runtime = Arc::clone(&runtime);
            move |times: u64| -> Duration {
                let task = runtime.spawn(async move {
                    let mut took = Duration::ZERO;
                    for _ in 0..times {
                        took += $work().await;
                    }
                    took
                });
                runtime.block_on(task).expect("the work does not panic")
            }
        }};
    }
    Group::new()
        .timed("scope", side!(scoped_cancel))
        .per(MANY as u64)
        .timed("token + JoinSet", side!(join_set_cancel))
        .per(MANY as u64)
        .go("Go errgroup", go, "cancel10000", flavour.processors())
        .per(MANY as u64)
        .row("16", &work, "scope", "token + JoinSet", 1.00)
        .row("16", &work, "scope", "Go errgroup", 1.00)
}
