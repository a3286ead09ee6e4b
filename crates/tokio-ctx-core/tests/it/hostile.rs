//! Every public function, in a world of hostile types: whatever is called or dropped panics,
//! blocks, re-enters, cancels, or lets go of the last handle.
//!
//! What must hold is the same for all: nothing hangs, no drop ends the process, a context that
//! ended says so and has run its innocent callback once, and everything that was given to us is
//! given back.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use tokio_ctx_core::{Budget, CancelGuard, CancelHandle, CancellationToken, Context, key};

use crate::support::{Count, HOUR, PATIENCE, poll_with};

#[derive(Clone, Copy, Debug)]
enum Deed {
    Panic,
    Block,
    Reenter,
    Cancel,
    DropTheLast,
}

const DEEDS: [Deed; 5] = [
    Deed::Panic,
    Deed::Block,
    Deed::Reenter,
    Deed::Cancel,
    Deed::DropTheLast,
];

/// What a deed has to work with. Held weakly by what is hostile: a cause that held its own context
/// would keep both for ever.
struct Place {
    ctx: Context,
    handle: CancelHandle,
    last: Mutex<Option<CancelGuard>>,
}

thread_local! {
    static ACTING: Cell<bool> = const { Cell::new(false) };
}

impl Deed {
    /// One deed at a time on a thread, or a re-entrant one would never end.
    fn act(self, place: &Weak<Place>) {
        struct Over;
        impl Drop for Over {
            fn drop(&mut self) {
                ACTING.set(false);
            }
        }
        // A second panic while a thread unwinds ends the process, and that is Rust's own rule.
        if std::thread::panicking() || ACTING.replace(true) {
            return;
        }
        let _over = Over;
        match (self, place.upgrade()) {
            (Deed::Panic, _) => panic!("on purpose"),
            (Deed::Block, _) => std::thread::park_timeout(Duration::from_millis(1)),
            (_, None) => {}
            (Deed::Cancel, Some(place)) => {
                place.handle.cancel_with("from within");
            }
            (Deed::DropTheLast, Some(place)) => {
                let last = place.last.lock().expect("no panic under it").take();
                drop(last);
            }
            (Deed::Reenter, Some(place)) => {
                let other = Context::background().with_cancel();
                let merged = place.ctx.merge(&other).with_name("n");
                merged.on_cancel(|_| ()).disarm();
                drop((merged.token(), merged.err(), place.ctx.check()));
                drop(format!("{:?}", place.ctx));
                drop(place.ctx.with_timeout(HOUR).with_cancel());
            }
        }
    }
}

/// Acts wherever it can; counts its drops.
struct Hostile {
    deed: Deed,
    place: Weak<Place>,
    dropped: Count,
}

impl Hostile {
    fn act(&self) {
        self.deed.act(&self.place);
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.dropped.add();
        self.act();
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act();
        f.write_str("hostile")
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act();
        f.write_str("hostile")
    }
}

impl std::error::Error for Hostile {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.act();
        None
    }
}

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        self.act();
    }
}

impl Future for Hostile {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<()> {
        self.act();
        Poll::Pending
    }
}

key! { Shown: Hostile, print; Hidden: Hostile; }

/// A context around which everything is hostile, and one callback that is not.
struct World {
    deed: Deed,
    place: Arc<Place>,
    ctx: Context,
    made: usize,
    dropped: Count,
    innocent: Count,
}

impl World {
    fn new(deed: Deed) -> World {
        let root = Context::background().with_cancel();
        let last = root.with_cancel();
        let place = Arc::new(Place {
            ctx: Context::clone(&last),
            handle: last.handle(),
            last: Mutex::new(Some(last)),
        });
        let mut world = World {
            deed,
            ctx: place.ctx.clone(),
            place,
            made: 0,
            dropped: Count::default(),
            innocent: Count::default(),
        };
        drop(root.disarm());
        let (shown, hidden) = (world.hostile(), world.hostile());
        world.ctx = world.ctx.with_value::<Shown>(shown);
        world.ctx = world.ctx.with_value::<Hidden>(hidden);
        for _ in 0..2 {
            let called = world.hostile();
            let callback = move |_: &tokio_ctx_core::Cancelled| called.act();
            world.ctx.on_cancel(callback).disarm();
        }
        let ran = world.innocent.clone();
        world.ctx.on_cancel(move |_| ran.add()).disarm();
        world
    }

    fn hostile(&mut self) -> Hostile {
        self.made += 1;
        Hostile {
            deed: self.deed,
            place: Arc::downgrade(&self.place),
            dropped: self.dropped.clone(),
        }
    }

    fn waker(&mut self) -> Waker {
        Waker::from(Arc::new(self.hostile()))
    }

    fn wait<F: Future>(&mut self, future: F) {
        let waker = self.waker();
        let _ = poll_with(std::pin::pin!(future), &waker);
    }

    /// Takes the guard of the context, if no deed has.
    fn guard(&self) -> CancelGuard {
        let last = self.place.last.lock().expect("no panic under it").take();
        last.unwrap_or_else(|| Context::background().with_cancel())
    }
}

/// Whether the caller may meet a panic: where we poll, print or drop what is the caller's own.
const MAY_PANIC: bool = true;
const NEVER: bool = false;

type Operation = (bool, &'static str, fn(&mut World));

const OPERATIONS: &[Operation] = &[
    (NEVER, "cancel", |w| {
        w.guard().cancel();
    }),
    (NEVER, "cancel_with", |w| {
        let cause = w.hostile();
        let guard = w.guard();
        guard.cancel_with(cause);
        let late = w.hostile();
        guard.cancel_with(late);
    }),
    (NEVER, "drop of the guard", |w| drop(w.guard())),
    (NEVER, "disarm of the guard", |w| drop(w.guard().disarm())),
    (MAY_PANIC, "map", |w| {
        let value = w.hostile();
        drop(w.guard().map(move |ctx| ctx.with_value::<Shown>(value)));
    }),
    (NEVER, "handle", |w| {
        w.place.handle.clone().cancel();
    }),
    (NEVER, "handle, with a cause", |w| {
        let cause = w.hostile();
        w.place.handle.clone().cancel_with(cause);
    }),
    (MAY_PANIC, "with_timeout_cause", |w| {
        let (cause, unused) = (w.hostile(), w.hostile());
        let ended = w.ctx.with_timeout_cause(Duration::ZERO, cause);
        drop(ended.with_timeout_cause(HOUR, unused));
        drop(ended.err());
        drop(format!("{ended:?}"));
    }),
    (NEVER, "with_deadline_cause", |w| {
        let cause = w.hostile();
        let soon = tokio::time::Instant::now() + Duration::from_millis(1);
        let ctx = w.ctx.with_deadline_cause(soon, cause);
        let innocent = Count::default();
        let (ran, called) = (innocent.clone(), w.hostile());
        ctx.on_cancel(move |_| called.act()).disarm();
        let (sender, receiver) = mpsc::channel();
        ctx.on_cancel(move |_| {
            ran.add();
            sender.send(()).expect("received");
        })
        .disarm();
        receiver.recv_timeout(PATIENCE).expect("the helper rings");
        assert_eq!(innocent.get(), 1);
    }),
    (NEVER, "with_budget", |w| {
        drop(w.ctx.with_budget(Budget::fraction(0.5).or_default(HOUR)));
    }),
    (MAY_PANIC, "without_value, values", |w| {
        drop(w.ctx.without_value::<Shown>());
        let _ = w.ctx.value::<Hidden>();
        for (_, value) in w.ctx.printable_values() {
            drop(value.to_string());
        }
    }),
    (NEVER, "without_cancel, detach_onto", |w| {
        let server = Context::background().with_cancel();
        drop((w.ctx.without_cancel(), w.ctx.detach_onto(&server)));
    }),
    (MAY_PANIC, "merge", |w| {
        let other = Context::background().with_cancel();
        let merged = w.ctx.merge(&other);
        let waker = w.waker();
        let mut done = Box::pin(merged.done_owned());
        let _ = poll_with(done.as_mut(), &waker);
        let called = w.hostile();
        merged.on_cancel(move |_| called.act()).disarm();
        other.cancel();
    }),
    (MAY_PANIC, "done", |w| {
        let ctx = w.ctx.clone();
        w.wait(ctx.done());
        w.wait(ctx.done_owned());
        let waker = w.waker();
        let mut done = Box::pin(ctx.done_owned());
        let _ = poll_with(done.as_mut(), &waker);
        w.place.handle.cancel();
    }),
    (MAY_PANIC, "run", |w| {
        let (ctx, work, never) = (w.ctx.clone(), w.hostile(), w.hostile());
        w.wait(ctx.run(work));
        w.place.handle.cancel();
        w.wait(ctx.run(never));
    }),
    (NEVER, "on_cancel: stop, drop, disarm, late", |w| {
        let callbacks: Vec<Hostile> = (0..4).map(|_| w.hostile()).collect();
        let mut callbacks = callbacks
            .into_iter()
            .map(|called| move |_: &tokio_ctx_core::Cancelled| called.act());
        let mut next = || callbacks.next().expect("four");
        w.ctx.on_cancel(next()).stop();
        drop(w.ctx.on_cancel(next()));
        w.ctx.on_cancel(next()).disarm();
        w.place.handle.cancel();
        w.ctx.on_cancel(next()).stop();
    }),
    (NEVER, "on_cancel of what never ends", |w| {
        let (stopped, dropped, disarmed) = (w.hostile(), w.hostile(), w.hostile());
        let root = Context::background();
        root.on_cancel(move |_| drop(stopped)).stop();
        drop(root.on_cancel(move |_| drop(dropped)));
        root.on_cancel(move |_| drop(disarmed)).disarm();
    }),
    (MAY_PANIC, "token, from_token", |w| {
        let token = w.ctx.token();
        let foreign = CancellationToken::new();
        let ctx = Context::from_token(&foreign);
        let called = w.hostile();
        ctx.on_cancel(move |_| called.act()).disarm();
        w.wait(ctx.done());
        let _ = catch_unwind(AssertUnwindSafe(|| foreign.cancel()));
        assert!(ctx.is_done());
        drop(token);
    }),
    (MAY_PANIC, "asking and printing", |w| {
        let ctx = w.ctx.clone();
        drop((ctx.is_done(), ctx.err(), ctx.check(), ctx.remaining()));
        drop(format!("{ctx:?} {:?}", w.place.handle));
        let cause = w.hostile();
        w.place.handle.cancel_with(cause);
        let cancelled = ctx.err().expect("it ended");
        drop(cancelled.to_string());
        drop(format!("{cancelled:?} {ctx:?}"));
        drop(std::io::Error::from(cancelled).to_string());
    }),
];

#[test]
fn whatever_hostile_types_do_everybody_else_is_served() {
    for deed in DEEDS {
        for (may_panic, name, operation) in OPERATIONS {
            let (sender, receiver) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                let mut world = World::new(deed);
                let outcome = catch_unwind(AssertUnwindSafe(|| operation(&mut world)));
                let has_panicked = outcome.is_err() && !may_panic;
                let World {
                    place,
                    ctx,
                    made,
                    dropped,
                    innocent,
                    ..
                } = world;
                let has_ended = ctx.is_done();
                let ran = innocent.get();
                // The end of the context is the end of all, however it comes.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(ctx)));
                place.handle.cancel();
                drop(place.last.lock().expect("no panic under it").take());
                sender
                    .send((has_panicked, has_ended, ran, innocent.get(), made, dropped))
                    .expect("received");
            });
            let outcome = receiver.recv_timeout(PATIENCE);
            let (has_panicked, has_ended, ran, in_the_end, made, dropped) =
                outcome.unwrap_or_else(|error| panic!("{deed:?} in {name}: {error}"));
            thread.join().expect("nothing leaves the last drops");
            assert!(
                !has_panicked,
                "{deed:?} in {name}: the caller met the panic"
            );
            assert_eq!(ran, usize::from(has_ended), "{deed:?} in {name}");
            assert_eq!(in_the_end, 1, "{deed:?} in {name}");
            // A deadline's callback may still be on its way out of the helper.
            let is_back = || dropped.get() == made;
            let start = std::time::Instant::now();
            while !is_back() && start.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            assert!(is_back(), "{deed:?} in {name}: {} of {made}", dropped.get());
        }
    }
}
