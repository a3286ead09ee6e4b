//! Every public function, in a world of hostile types: whatever is called or dropped panics,
//! blocks, re-enters, cancels, or lets go of the last handle.
//!
//! What must hold is the same for all: nothing hangs, no drop ends the process, a context that
//! ended says so and has run its innocent callback once, and everything that was given to us is
//! given back. `cargo xtask tidy` wants each function that takes foreign code or waits to be named
//! in here.

mod operations;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use tokio_ctx_core::owner::in_flight;
use tokio_ctx_core::{CancelGuard, CancelHandle, Context, key};

use self::operations::{OPERATIONS, Operation};
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

/// Which methods of a world are hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// A closure.
    Call,
    Poll,
    Drop,
    /// `Display`, `Debug` and `source`.
    Show,
    Wake,
    /// `Into`.
    Convert,
    All,
}

const METHODS: [Method; 7] = [
    Method::Call,
    Method::Poll,
    Method::Drop,
    Method::Show,
    Method::Wake,
    Method::Convert,
    Method::All,
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
                drop(in_flight::enter("test", &place.ctx, |_| ()));
                drop((in_flight::list(usize::MAX), in_flight::ends()));
            }
        }
    }
}

/// Acts wherever it can; counts its drops.
struct Hostile {
    deed: Deed,
    method: Method,
    place: Weak<Place>,
    dropped: Count,
}

impl Hostile {
    fn act(&self, method: Method) {
        if self.method == Method::All || self.method == method {
            self.deed.act(&self.place);
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.dropped.add();
        self.act(Method::Drop);
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act(Method::Show);
        f.write_str("hostile")
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act(Method::Show);
        f.write_str("hostile")
    }
}

impl std::error::Error for Hostile {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.act(Method::Show);
        None
    }
}

impl From<Hostile> for Cow<'static, str> {
    fn from(hostile: Hostile) -> Self {
        hostile.act(Method::Convert);
        "hostile".into()
    }
}

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        self.act(Method::Wake);
    }
}

/// A future that ends: it acts in each of three polls.
struct Work {
    hostile: Hostile,
    output: Option<Hostile>,
    polls: usize,
}

impl Future for Work {
    type Output = Hostile;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Hostile> {
        self.hostile.act(Method::Poll);
        if self.polls == 0 {
            return self.output.take().map_or(Poll::Pending, Poll::Ready);
        }
        self.polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Hostile {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<()> {
        self.act(Method::Poll);
        Poll::Pending
    }
}

key! { Shown: Hostile, print; Hidden: Hostile; }

/// A context around which everything is hostile, and one callback that is not.
struct World {
    deed: Deed,
    method: Method,
    place: Arc<Place>,
    ctx: Context,
    made: usize,
    dropped: Count,
    innocent: Count,
}

impl World {
    fn new(deed: Deed, method: Method) -> World {
        let root = Context::background().with_cancel();
        let last = root.with_cancel();
        let place = Arc::new(Place {
            ctx: Context::clone(&last),
            handle: last.handle(),
            last: Mutex::new(Some(last)),
        });
        let mut world = World {
            deed,
            method,
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
            let callback = move |_: &tokio_ctx_core::Cancelled| called.act(Method::Call);
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
            method: self.method,
            place: Arc::downgrade(&self.place),
            dropped: self.dropped.clone(),
        }
    }

    fn work(&mut self) -> Work {
        Work {
            hostile: self.hostile(),
            output: Some(self.hostile()),
            polls: 2,
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

/// One operation in a world of its own, on a thread that may hang; what is wrong, if anything is.
fn try_one(operation: &'static Operation, deed: Deed, method: Method) -> Result<(), String> {
    let (may_panic, _, operate) = operation;
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut world = World::new(deed, method);
        let outcome = catch_unwind(AssertUnwindSafe(|| operate(&mut world)));
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
        drop(ctx);
        place.handle.cancel();
        drop(place.last.lock().expect("no panic under it").take());
        sender
            .send((has_panicked, has_ended, ran, innocent.get(), made, dropped))
            .expect("received");
    });
    let outcome = receiver.recv_timeout(PATIENCE);
    let (has_panicked, has_ended, ran, in_the_end, made, dropped) =
        outcome.map_err(|error| error.to_string())?;
    thread.join().map_err(|_| "the last drops panicked")?;
    if has_panicked {
        return Err("the caller met the panic".to_owned());
    }
    if ran != usize::from(has_ended) || in_the_end != 1 {
        return Err(format!("a callback ran {ran} times, then {in_the_end}"));
    }
    // A deadline's callback may still be on its way out of the helper.
    let is_back = || dropped.get() == made;
    let start = std::time::Instant::now();
    while !is_back() && start.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    match is_back() {
        true => Ok(()),
        false => Err(format!("{} of {made} were dropped", dropped.get())),
    }
}

#[test]
fn whatever_hostile_types_do_everybody_else_is_served() {
    let mut faults = String::new();
    let methods = DEEDS.map(|deed| METHODS.map(|method| (deed, method)));
    for (deed, method) in methods.into_iter().flatten() {
        for operation in OPERATIONS {
            if let Err(fault) = try_one(operation, deed, method) {
                let of = operation.1.join(", ");
                faults.push_str(&format!("{of}: {deed:?} in {method:?}: {fault}\n"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
