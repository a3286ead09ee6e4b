//! What is around an operation: a context, a scope, and what is innocent.

use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Poller, Waker};

use futures_util::FutureExt as _;
use spawn_scoped::{Scope, ScopeOptions};
use tokio_ctx_core::{Cancelled, Context};

use super::types::{
    Alive, Deed, Failure, HERE, Hidden, Hostile, HostileWaker, Items, Method, Place, Shown, Work,
    take,
};
use crate::support::Live;

/// A context around which everything is hostile, and one callback that is not.
#[derive(Clone)]
pub(super) struct World {
    pub(super) deed: Deed,
    pub(super) method: Method,
    pub(super) ctx: Context,
    place: Arc<Place>,
    alive: Alive,
    innocent: Arc<AtomicUsize>,
}

impl World {
    pub(super) fn new(deed: Deed, method: Method) -> World {
        let last = Context::background().with_cancel();
        let place = Arc::new(Place {
            ctx: Context::clone(&last),
            handle: last.handle(),
            last: Mutex::new(Some(last)),
            scope: Mutex::new(None),
        });
        let mut world = World {
            deed,
            method,
            ctx: place.ctx.clone(),
            place,
            alive: Arc::default(),
            innocent: Arc::default(),
        };
        world.ctx = world.with_values();
        let called = world.hostile();
        world
            .ctx
            .on_cancel(move |_| called.act(Method::Call))
            .disarm();
        let ran = world.innocent.clone();
        let run = move |_: &Cancelled| {
            ran.fetch_add(1, Ordering::SeqCst);
        };
        world.ctx.on_cancel(run).disarm();
        world
    }

    pub(super) fn enter(&self) {
        HERE.set(Some(self.clone()));
    }

    pub(super) fn leave() {
        drop(HERE.take());
    }

    #[track_caller]
    pub(super) fn hostile(&self) -> Hostile {
        let made_at = Location::caller();
        self.alive.lock().expect("no panic under it").push(made_at);
        self.hostile_of(self.alive.clone(), made_at)
    }

    fn hostile_of(&self, alive: Alive, made_at: &'static Location<'static>) -> Hostile {
        Hostile {
            deed: self.deed,
            method: self.method,
            place: Arc::downgrade(&self.place),
            alive,
            made_at,
        }
    }

    /// A context with values that nothing else has.
    #[track_caller]
    pub(super) fn with_values(&self) -> Context {
        let ctx = self.ctx.with_value::<Shown>(self.hostile());
        ctx.with_value::<Hidden>(self.hostile())
    }

    /// A future that acts in each of three polls.
    #[track_caller]
    pub(super) fn work<O>(&self, output: O) -> Work<O> {
        Work {
            hostile: self.hostile(),
            output: Some(output),
            polls: 2,
        }
    }

    /// A future that never ends by itself.
    #[track_caller]
    pub(super) fn stuck<O>(&self) -> Work<O> {
        Work {
            output: None,
            polls: 1,
            hostile: self.hostile(),
        }
    }

    #[track_caller]
    pub(super) fn call<O: Unpin>(&self, output: O) -> impl FnOnce(Context) -> Work<O> + use<O> {
        let (called, work) = (self.hostile(), self.work(output));
        move |_| {
            called.act(Method::Call);
            // Or nothing would drop what is returned (rust-lang/rust#47949).
            drop(called);
            work
        }
    }

    /// A closure of a task that ends well.
    #[track_caller]
    pub(super) fn good(&self) -> impl FnOnce(Context) -> Work<Result<Hostile, Failure>> + use<> {
        self.call(Ok(self.hostile()))
    }

    /// One of a task that fails.
    #[track_caller]
    pub(super) fn bad(&self) -> impl FnOnce(Context) -> Work<Result<Hostile, Failure>> + use<> {
        self.call(Err(Failure::Broken(self.hostile())))
    }

    /// One of a task that never ends by itself.
    #[track_caller]
    pub(super) fn endless(&self) -> impl FnOnce(Context) -> Work<Result<(), Failure>> + use<> {
        let stuck = self.stuck();
        move |_| stuck
    }

    /// One of a task that ends when it is asked to.
    #[track_caller]
    pub(super) fn endless_until_asked(
        &self,
    ) -> impl FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<Hostile, Failure>> + Send>> + use<>
    {
        let (held, value) = (self.hostile(), self.hostile());
        move |ctx| {
            Box::pin(async move {
                held.act(Method::Poll);
                ctx.done().await;
                drop(held);
                Ok(value)
            })
        }
    }

    pub(super) fn cancel(&self) {
        self.place.handle.cancel_with(self.hostile());
    }

    pub(super) fn items(&self) -> Items {
        Items {
            world: self.clone(),
            left: 2,
        }
    }

    /// What the policies do with an item.
    pub(super) fn each(
        &self,
    ) -> impl FnMut(Context, Hostile) -> Work<Result<Hostile, Failure>> + use<> {
        let (world, called) = (self.clone(), self.hostile());
        move |_, item| {
            called.act(Method::Call);
            match Arc::strong_count(&world.alive) % 2 {
                0 => world.work(Ok(item)),
                _ => world.work(Err(Failure::Broken(item))),
            }
        }
    }

    /// Polls `future` with wakers that are hostile. An output whose future panics when it is
    /// dropped is a local, or nothing would drop it (rust-lang/rust#47949).
    pub(super) async fn woken<F: Future>(&self, future: F) -> F::Output {
        let mut future = Box::pin(future);
        let output = std::future::poll_fn(|cx| {
            // Not counted: one that panicked stays in tokio's task as long as a handle does.
            let mut hostile = self.hostile_of(Alive::default(), Location::caller());
            // Only waking acts: a panic of its drop is the executor's own, and ends its poll.
            hostile.method = match self.method {
                Method::Wake | Method::All => Method::Wake,
                _ => Method::Convert,
            };
            let waker = Waker::from(Arc::new(HostileWaker {
                real: cx.waker().clone(),
                hostile,
            }));
            let polled = future.as_mut().poll(&mut Poller::from_waker(&waker));
            drop(waker);
            polled
        })
        .await;
        drop(future);
        output
    }

    /// A scope with an innocent task, which must be over, with all that it holds, before the
    /// scope is, whatever the others do.
    pub(super) async fn inside(self, body: impl AsyncFnOnce(&World, Scope<Failure>)) {
        self.inside_of(ScopeOptions::new(), body).await;
    }

    pub(super) async fn inside_of(
        self,
        options: ScopeOptions<Failure>,
        body: impl AsyncFnOnce(&World, Scope<Failure>),
    ) {
        let cut = self.begin_inside(options, body).await;
        assert!(!cut, "an innocent task was cut");
    }

    /// Returns whether the innocent task was cut.
    pub(super) async fn begin_inside(
        self,
        options: ScopeOptions<Failure>,
        body: impl AsyncFnOnce(&World, Scope<Failure>),
    ) -> bool {
        let (live, unfinished) = (Live::default(), Arc::new(AtomicUsize::new(0)));
        let (token, finished) = (live.token(), unfinished.clone());
        let world = &self;
        let run = options.run(&self.ctx, async |s| {
            // It is refused when a hostile option has ended the context.
            unfinished.store(usize::from(!s.context().is_done()), Ordering::SeqCst);
            s.spawn(async move |_| {
                let _held = token;
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                finished.store(0, Ordering::SeqCst);
                Ok::<_, Failure>(())
            });
            *world.place.scope.lock().expect("no panic under it") = Some(s.clone());
            body(world, s.clone()).await;
            s.cancel();
            Ok(())
        });
        let ended = self.woken(AssertUnwindSafe(run).catch_unwind()).await;
        assert_eq!(live.count(), 0, "the scope ended before its task");
        drop(take(&self.place.scope));
        match ended {
            Ok(result) => drop(result),
            Err(payload) => std::panic::resume_unwind(payload),
        }
        unfinished.load(Ordering::SeqCst) != 0
    }

    /// Ends the context, if nothing has, and says what is wrong in the end.
    pub(super) fn end(self) -> Result<(), String> {
        let quietly = |f: &mut dyn FnMut()| std::panic::catch_unwind(AssertUnwindSafe(f)).is_ok();
        let World {
            place,
            ctx,
            alive,
            innocent,
            ..
        } = self;
        let (has_ended, ran) = (ctx.is_done(), innocent.load(Ordering::SeqCst));
        let mut ctx = Some(ctx);
        quietly(&mut || drop(ctx.take()));
        let is_calm = quietly(&mut || {
            place.handle.cancel();
            drop(take(&place.scope));
            drop(take(&place.last));
        });
        // Its context has the cause.
        drop(place);
        if !is_calm {
            return Err("a panic left `cancel`".to_owned());
        }
        let in_the_end = innocent.load(Ordering::SeqCst);
        if ran != usize::from(has_ended) || in_the_end != 1 {
            return Err(format!(
                "the innocent callback ran {ran} times, then {in_the_end}"
            ));
        }
        let start = std::time::Instant::now();
        let left = || alive.lock().expect("no panic under it").clone();
        // A callback may still be on its way out of a thread of the library.
        while !left().is_empty() && start.elapsed() < super::PATIENCE {
            std::thread::yield_now();
        }
        match left() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("not dropped: what was made at {left:?}")),
        }
    }
}
