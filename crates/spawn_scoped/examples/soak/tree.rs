//! Random trees of scopes that go wrong in every way there is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use spawn_scoped::{Ready, Scope, ScopeOptions};
use tokio_ctx_core::{Cancelled, Context};

/// How deep scopes nest.
const DEEPEST: u32 = 3;

/// The payload of every panic in here, so that a real one is told apart.
pub(crate) struct Expected;

/// Counts what is alive.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<AtomicUsize>);

impl Live {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn token(&self) -> LiveToken {
        self.0.fetch_add(1, Ordering::SeqCst);
        LiveToken(self.clone())
    }
}

/// One live thing: held by a task as a capture, or by a context as a value.
pub(crate) struct LiveToken(Live);

impl Drop for LiveToken {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

tokio_ctx_core::key! {
    /// Lives as long as the context of a tree does.
    pub(crate) InContext: LiveToken
}

/// Numbers from a seed: the same seed, the same tree.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn fork(&mut self) -> Self {
        Random(self.next())
    }
}

/// The error of every scope in here.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<Cancelled> for Failed {
    fn from(_: Cancelled) -> Self {
        Failed
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
    let token = live.token();
    let ctx = ctx.with_value::<InContext>(token);
    let ctx = match random.below(4) {
        0 => ctx.with_timeout(Duration::from_micros(random.below(500))),
        _ => ctx,
    };
    let scopes = scope_of(ctx, seed, 0, live, counter);
    if random.below(3) == 0 {
        DropAfter::new(scopes, random.below(8)).await;
    } else {
        let _ = scopes.await;
    }
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
        options = options.supervise();
    }
    if random.below(4) == 0 {
        options = options.limit(2);
    }
    Box::pin(async move {
        options
            .run(&ctx, async |s| {
                for _ in 0..random.below(5) {
                    spawn_one(&s, random.fork(), depth, &live, &counter).await;
                }
                match random.below(8) {
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
                    _ => Ok(2),
                }
            })
            .await
    })
}

/// A task of any kind.
async fn spawn_one(
    s: &Scope<Failed>,
    mut random: Random,
    depth: u32,
    live: &Live,
    counter: &Arc<AtomicUsize>,
) {
    let (token, inner, seed) = (live.token(), live.clone(), random.fork());
    let counter = counter.clone();
    let sibling = s.clone();
    let what = random.below(8);
    let work = async move |ctx: Context| {
        let _held = token;
        work(ctx, seed, depth, inner, counter, sibling, what).await
    };
    match random.below(7) {
        0 => drop(s.task().background().spawn(work)),
        1 => drop(s.task().spawn_cancellable(work(s.context().clone()))),
        2 => {
            let token = live.token();
            drop(s.spawn_blocking(move |ctx| {
                let _held = token;
                ctx.check()?;
                Ok(())
            }));
        }
        3 => drop(s.task().try_spawn(work)),
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
            let token = live.token();
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
