//! Every public function that takes foreign code or waits, in a world of hostile types: what is
//! called, polled, shown, woken, converted or dropped panics, blocks, re-enters, cancels, or lets
//! go of the last handle.
//!
//! What must hold is the same for all: nothing hangs, nothing ends the process, a scope ends after
//! its innocent task and an innocent callback has run once, and all that was given to the library
//! is given back. `cargo xtask tidy` wants each such function to be named in here.

mod scopes;
mod tasks;
mod types;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as Poller, Waker};
use std::time::Duration;

use spawn_scoped::ScopeOptions;
use tokio::runtime::Runtime;
use tokio_ctx_core::Context;

use self::scopes::OF_SCOPES;
use self::tasks::OF_TASKS;
use self::types::{Deed, Failure, Hostile, Method, Work, take};
use self::world::World;

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(30);

const DEEDS: [Deed; 5] = [
    Deed::Panic,
    Deed::Block,
    Deed::Reenter,
    Deed::Cancel,
    Deed::DropTheLast,
];

const METHODS: [Method; 7] = [
    Method::Call,
    Method::Poll,
    Method::Drop,
    Method::Show,
    Method::Wake,
    Method::Convert,
    Method::All,
];

/// Whether the caller may meet a panic: where it comes from the caller's own type, or from a task
/// that is not isolated.
const MAY_PANIC: bool = true;
const NEVER: bool = false;

/// What is done, and the functions that it is a test of.
struct Operation {
    may_panic: bool,
    of: &'static [&'static str],
    run: fn(World) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

const fn operation(
    may_panic: bool,
    of: &'static [&'static str],
    run: fn(World) -> Running,
) -> Operation {
    Operation { may_panic, of, run }
}

fn options() -> ScopeOptions<Failure> {
    ScopeOptions::new()
}

/// Polls once, with a waker that does nothing.
fn begin<F: Future>(future: Pin<&mut F>) {
    let _ = future.poll(&mut Poller::from_waker(Waker::noop()));
}

/// An isolated task that fails.
fn apart(w: &World) -> impl FnOnce(Context) -> Work<Result<(), Hostile>> + use<> {
    let work = w.work(Err(w.hostile()));
    move |_| work
}

/// One operation in a world of its own, on a thread that may hang.
fn try_one(
    operation: &'static Operation,
    deed: Deed,
    method: Method,
    workers: usize,
) -> Result<(), String> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let world = World::new(deed, method);
        world.enter();
        // A handle of a task that is over may keep its runtime's settings for a while.
        let theirs = Arc::new(Mutex::new(Some(world.clone())));
        let runtime = runtime(workers, theirs.clone());
        let future = AssertUnwindSafe(|| {
            let future = (operation.run)(world.clone());
            runtime.block_on(future);
        });
        let ended = catch_unwind(future);
        World::leave();
        let is_calm = catch_unwind(AssertUnwindSafe(|| drop(runtime))).is_ok();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(take(&theirs))));
        let text = ended.err().map(|payload| {
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_default()
        });
        let outcome = match text {
            Some(text) if text != "on purpose" => Err(text),
            Some(_) if !operation.may_panic => Err("the caller met the panic".to_owned()),
            _ if !is_calm => Err("a panic left the runtime".to_owned()),
            _ => world.end(),
        };
        let _ = sender.send(outcome);
    });
    let outcome = receiver.recv_timeout(PATIENCE * 2);
    let outcome = outcome.map_err(|error| format!("it hangs, or its thread died: {error}"))?;
    thread.join().map_err(|_| "the last drops panicked")?;
    outcome
}

/// One with no worker but the caller, or one with some.
fn runtime(workers: usize, world: Arc<Mutex<Option<World>>>) -> Runtime {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let enter = move || {
        let world = world.lock().expect("no panic under it").clone();
        world.inspect(World::enter);
    };
    builder
        .worker_threads(workers.max(1))
        .enable_time()
        .on_thread_start(enter)
        .build()
        .unwrap()
}

fn whatever_hostile_types_do(deed: Deed) {
    let mut faults = Vec::new();
    for operation in OF_TASKS.iter().chain(OF_SCOPES) {
        for method in METHODS {
            for workers in [0, 2] {
                if let Err(fault) = try_one(operation, deed, method, workers) {
                    let of = operation.of.join(", ");
                    faults.push(format!(
                        "{of}: {deed:?} in {method:?}, {workers} workers: {fault}"
                    ));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn whatever_panics_everybody_else_is_served() {
    whatever_hostile_types_do(DEEDS[0]);
}

#[test]
fn whatever_blocks_everybody_else_is_served() {
    whatever_hostile_types_do(DEEDS[1]);
}

#[test]
fn whatever_reenters_everybody_else_is_served() {
    whatever_hostile_types_do(DEEDS[2]);
}

#[test]
fn whatever_cancels_everybody_else_is_served() {
    whatever_hostile_types_do(DEEDS[3]);
}

#[test]
fn whatever_lets_go_of_the_last_handle_everybody_else_is_served() {
    whatever_hostile_types_do(DEEDS[4]);
}
