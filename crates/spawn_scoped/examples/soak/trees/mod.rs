//! Random trees of scopes that go wrong in every way there is.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use spawn_scoped::{Ready, Scope, ScopeOptions};
use tokio_ctx_core::{Cancelled, Context};
use tracing::Span;

mod hostile;
mod live;
mod random;

pub(crate) use hostile::Expected;
use hostile::{Hostile, WithHostileWaker};
use live::LiveToken;
pub(crate) use live::{Kind, Live};
pub(crate) use random::Random;

/// How deep scopes nest.
const DEEPEST: u32 = 3;

tokio_ctx_core::key! {
    /// Lives as long as the context of a tree does.
    pub(crate) InContext: LiveToken;
    /// Shown by spans, and hostile then.
    pub(crate) Shown: Hostile, print
}

/// The error of every scope in here.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<Cancelled> for Failed {
    fn from(_: Cancelled) -> Self {
        Failed
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

/// Drops its future after so many polls.
pub(crate) struct DropAfter<F> {
    future: Option<Pin<Box<F>>>,
    polls: u64,
}

impl<F> DropAfter<F> {
    pub(crate) fn new(future: F, polls: u64) -> Self {
        Self {
            future: Some(Box::pin(future)),
            polls,
        }
    }
}

impl<F: Future> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<F::Output>> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        let last = self.polls == 0;
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        let polled = future.as_mut().poll(cx).map(Some);
        if last && polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    }
}

/// One tree under `ctx`. Returns when it is over; it may leave tasks to the
/// scope around.
pub(crate) async fn tree(ctx: &Context, mut random: Random, live: Live, counter: Arc<AtomicUsize>) {
    let seed = random.fork();
    let ctx = ctx.with_value::<InContext>(live.token(Kind::Value));
    let ctx = match random.below(4) {
        0 => ctx.with_value::<Shown>(Hostile::new(&mut random, &live)),
        _ => ctx,
    };
    let ctx = derived(&ctx, &mut random, &live);
    let scopes = scope_of(ctx, seed, 0, live.clone(), counter);
    match random.below(6) {
        0 | 1 => {
            let _ = DropAfter::new(scopes, random.below(8)).await;
        }
        2 => {
            let _ = WithHostileWaker::new(scopes, &live).await;
        }
        _ => {
            let _ = scopes.await;
        }
    }
}

/// A context below `ctx`, of any kind, with a callback that tells when it is let go.
fn derived(ctx: &Context, random: &mut Random, live: &Live) -> Context {
    let soon = Duration::from_micros(random.below(500));
    let (ctx, kind) = match random.below(8) {
        0 | 1 => (ctx.with_timeout(soon), Kind::Timer),
        2 => (
            ctx.with_timeout_cause(soon, Hostile::new(random, live)),
            Kind::Timer,
        ),
        3 => {
            let ctx = ctx.with_cancel().disarm();
            drop(ctx.token());
            (ctx, Kind::Token)
        }
        // A shield: its scopes are still adopted by the scope around.
        4 => (ctx.without_cancel().with_cancel().disarm(), Kind::Node),
        5 => {
            let other = Context::background().with_timeout(soon);
            (ctx.merge(&other), Kind::Node)
        }
        6 => {
            let guard = ctx.with_cancel();
            guard.cancel_with(Hostile::new(random, live));
            (guard.disarm(), Kind::Node)
        }
        _ => (ctx.with_cancel().disarm(), Kind::Node),
    };
    let (kept, hostile) = (live.token(kind), Hostile::new(random, live));
    let called = move |_: &Cancelled| {
        let _kept = &kept;
        hostile.act();
    };
    ctx.on_cancel(called).disarm();
    ctx
}

/// A scope with a few tasks, some of which have scopes. Boxed: it recurses.
fn scope_of(
    ctx: Context,
    mut random: Random,
    depth: u32,
    live: Live,
    counter: Arc<AtomicUsize>,
) -> Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send>> {
    counter.fetch_add(1, Ordering::Relaxed);
    let mut options = ScopeOptions::<Failed>::new();
    if random.below(4) == 0 {
        options = options.grace(Duration::from_millis(1 + random.below(3)));
    }
    if random.below(5) == 0 {
        options = options.drain(Duration::from_micros(random.below(500)));
    }
    options = options.clean_up(Duration::from_millis(1));
    if random.one_in(3) {
        options = options.describe(|_| std::panic::panic_any(Expected));
    }
    if random.below(5) == 0 {
        options = options.supervise();
    }
    if random.below(4) == 0 {
        options = options.limit(1 + random.below(2) as usize);
    }
    Box::pin(async move {
        options
            .run(&ctx, async |s| {
                for _ in 0..random.below(5) {
                    spawn_one(&s, random.fork(), depth, &live, &counter).await;
                    if random.one_in(3) {
                        defer_one(&s, random.fork(), &live).await;
                    }
                }
                match random.below(9) {
                    0 => Err(Failed),
                    1 => std::panic::panic_any(Expected),
                    2 => {
                        s.cancel();
                        Ok(0)
                    }
                    3 => {
                        tokio::task::yield_now().await;
                        Ok(1)
                    }
                    4 => {
                        s.cancel_with(Hostile::new(&mut random, &live));
                        Ok(3)
                    }
                    _ => Ok(2),
                }
            })
            .await
    })
}

/// A clean-up of any kind, which may be run early or taken back.
async fn defer_one(s: &Scope<Failed>, mut random: Random, live: &Live) {
    let (token, ends) = (live.token(Kind::Value), random.below(5));
    let hostile = random.one_in(4).then(|| Hostile::new(&mut random, live));
    let work = async move |ctx: Context| {
        let _held = (token, hostile);
        tokio::task::yield_now().await;
        match ends {
            0 => Err(Failed),
            1 => std::panic::panic_any(Expected),
            // Is cut off.
            2 => std::future::pending().await,
            3 => Err(Failed::from(ctx.done().await)),
            _ => Ok(()),
        }
    };
    let deferred = match random.one_in(2) {
        true => s.spawner().defer(work),
        false => s.defer(work),
    };
    match random.below(6) {
        0 => drop(deferred.stop()),
        1 => {
            let soon = s.context().with_timeout(Duration::from_millis(1));
            let run = deferred.run_now(&soon);
            drop(DropAfter::new(run, random.below(4)).await);
        }
        _ => drop(deferred),
    }
}

/// A task of any kind.
async fn spawn_one(
    s: &Scope<Failed>,
    mut random: Random,
    depth: u32,
    live: &Live,
    counter: &Arc<AtomicUsize>,
) {
    let (token, inner, seed) = (live.token(Kind::Task), live.clone(), random.fork());
    let counter = counter.clone();
    let sibling = s.clone();
    let what = random.below(8);
    let hostile = random.one_in(6).then(|| Hostile::new(&mut random, live));
    let work = async move |ctx: Context| {
        let _held = (token, hostile);
        work(ctx, seed, depth, inner, counter, sibling, what).await
    };
    let span = match random.below(3) {
        0 => tracing::info_span!("task"),
        1 => tracing::info_span!(parent: None, "task"),
        _ => Span::none(),
    };
    match random.below(12) {
        0 => drop(s.task().background().spawn(work)),
        7 => drop(s.isolated(work)),
        8 => drop(s.spawner().task().name("isolated").span(span).spawn(work)),
        9 => {
            let other = derived(&Context::background(), &mut random, live);
            drop(s.task().under(&other).spawn(work));
        }
        10 => {
            let other = derived(s.context(), &mut random, live);
            drop(s.task().background().until(&other).span(span).spawn(work));
        }
        11 => drop(WithHostileWaker::new(s.isolated(work), live).await),
        1 => drop(s.task().spawn_cancellable(work(s.context().clone()))),
        2 => {
            let token = live.token(Kind::Task);
            drop(s.spawn_blocking(move |ctx| {
                let _held = token;
                ctx.check()?;
                Ok(())
            }));
        }
        3 => {
            if let Ok(slot) = s.task().try_slot() {
                drop(slot.spawn(work));
            }
        }
        4 => {
            if let Some(Ok(slot)) = DropAfter::new(s.slot(), 3).await {
                drop(slot.spawn(work));
            }
        }
        5 => {
            let start = s.start(async move |ctx, ready: Ready<()>| {
                let _ = ready.set(());
                work(ctx).await
            });
            let _ = DropAfter::new(start, 3).await;
        }
        _ => drop(s.spawn(work)),
    }
}

async fn work(
    ctx: Context,
    mut random: Random,
    depth: u32,
    live: Live,
    counter: Arc<AtomicUsize>,
    sibling: Scope<Failed>,
    what: u64,
) -> Result<(), Failed> {
    for _ in 0..random.below(4) {
        tokio::task::yield_now().await;
    }
    match what {
        0 => Err(Failed),
        1 if random.below(4) == 0 => std::panic::panic_any(Expected),
        2 | 3 if depth < DEEPEST => {
            let scopes = scope_of(ctx, random.fork(), depth + 1, live, counter);
            match random.below(3) {
                0 => DropAfter::new(scopes, random.below(6))
                    .await
                    .map_or(Ok(()), |end| end.map(drop)),
                _ => scopes.await.map(drop),
            }
        }
        4 => {
            let token = live.token(Kind::Task);
            drop(sibling.spawn(async move |_| {
                tokio::task::yield_now().await;
                drop(token);
                Ok(())
            }));
            Ok(())
        }
        5 => {
            // Winds down when told to, or when it has had enough.
            let enough = ctx.with_timeout(Duration::from_micros(random.below(300)));
            let why = enough.done().await;
            tokio::task::yield_now().await;
            if ctx.is_done() {
                Err(Failed::from(why))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}
