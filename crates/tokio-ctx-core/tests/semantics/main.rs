//! Random trees and scripts against a plain model of what Go's `context` does.
//!
//! After each step every context is asked for all it has to say. Where the two differ, the script
//! is shrunk to the shortest that shows it, and printed.

#![cfg(not(any(loom, shuttle)))]

mod model;

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::time::{Instant, advance};
use tokio_ctx_core::{
    Budget, CancelGuard, CancellationToken, Cancelled, Context, OnCancel, Reason, key,
};

use self::model::{Model, REQUEST_ONLY, Why};

key! {
    One: u8;
    Two: u8;
    RequestOnly: u8, request_only;
}

/// Steps that a run must at least make.
const STEPS: usize = 1_000_000;
const LONGEST: usize = 60;
/// Half of the longest is the mean length.
const SCRIPTS: u32 = (STEPS / (LONGEST / 2) * 21 / 20) as u32;

#[derive(Clone, Copy, Debug)]
enum Step {
    WithCancel { of: usize },
    WithTimeout { of: usize, after: u64 },
    WithDeadline { of: usize, at: u64 },
    HalfOfWhatRemains { of: usize },
    WithName { of: usize },
    WithValue { of: usize, key: u8, value: u8 },
    WithoutValue { of: usize, key: u8 },
    WithoutCancel { of: usize },
    DetachOnto { of: usize, onto: usize },
    Merge { one: usize, other: usize },
    Cancel { which: usize, cause: u8 },
    DropGuard { which: usize },
    Forget { which: usize },
    Advance { by: u64 },
    OnCancel { on: usize, stop: bool },
    Token { of: usize },
}

impl Step {
    /// Of few bytes, so that it is fast to make and shrinks to small numbers. `len` contexts
    /// are there to choose from.
    fn of([kind, a, b, c]: [u8; 4], len: usize) -> Step {
        // The newest are chosen more often than the oldest, so that trees get deep.
        let pick = |byte: u8| match byte % 4 {
            0 => usize::from(byte / 4) % len,
            _ => len - 1 - usize::from(byte / 4) % len.min(3),
        };
        let (of, other) = (pick(a), pick(b));
        let time = u64::from(c % 16);
        match kind % 20 {
            0..3 => Step::WithCancel { of },
            3..5 => Step::WithTimeout { of, after: time },
            5 => Step::WithDeadline {
                of,
                at: u64::from(b),
            },
            6 => Step::HalfOfWhatRemains { of },
            7 => Step::WithName { of },
            8 => Step::WithValue {
                of,
                key: b % 3,
                value: c,
            },
            9 => Step::WithoutValue { of, key: b % 3 },
            10 => Step::WithoutCancel { of },
            11 => Step::DetachOnto { of, onto: other },
            12 => Step::Merge { one: of, other },
            13 => Step::Cancel {
                which: of,
                cause: c,
            },
            14 => Step::DropGuard { which: of },
            15 => Step::Forget { which: of },
            16 => Step::Advance { by: time },
            17..19 => Step::OnCancel {
                on: of,
                stop: c % 4 == 0,
            },
            _ => Step::Token { of },
        }
    }
}

/// A context of ours, and what was made with it.
struct Ours {
    /// `None` once it was forgotten.
    ctx: Option<Context>,
    guard: Option<CancelGuard>,
    callbacks: Vec<Callback>,
    tokens: Vec<CancellationToken>,
}

struct Callback {
    runs: Arc<AtomicUsize>,
    _registration: Option<OnCancel>,
    /// Whether it was prevented.
    stopped: bool,
}

struct World {
    start: Instant,
    all: Vec<Ours>,
    model: Model,
}

impl World {
    fn new() -> World {
        let mut world = World {
            start: Instant::now(),
            all: Vec::new(),
            model: Model::new(),
        };
        world.push(Context::background(), None);
        world
    }

    fn push(&mut self, ctx: Context, guard: Option<CancelGuard>) {
        self.all.push(Ours {
            ctx: Some(ctx),
            guard,
            callbacks: Vec::new(),
            tokens: Vec::new(),
        });
    }

    async fn take(&mut self, step: Step) -> Result<(), String> {
        let ctx = |which: usize| self.all[which].ctx.clone();
        let at = |at: u64| self.start + Duration::from_millis(at);
        match step {
            Step::WithCancel { of } => {
                let Some(guard) =
                    ctx(of).map(|ctx| ctx.with_name(self.all.len().to_string()).with_cancel())
                else {
                    return Ok(());
                };
                self.model.child(of);
                self.push(Context::clone(&guard), Some(guard));
            }
            Step::Cancel { which, cause } => {
                let Some(guard) = &self.all[which].guard else {
                    return Ok(());
                };
                let won = guard.cancel_with(cause.to_string());
                if won != self.model.cancel(which, Why::Cancelled(cause)) {
                    return Err(format!("cancel said {won}"));
                }
            }
            Step::DropGuard { which } => {
                if self.all[which].guard.take().is_some() {
                    self.model.cancel(which, Why::GuardDropped(which));
                }
            }
            Step::Forget { which } => self.all[which].ctx = None,
            Step::Advance { by } => {
                advance(Duration::from_millis(by)).await;
                tokio::task::yield_now().await;
                self.model.advance(by);
            }
            Step::OnCancel { on, stop } => self.register(on, stop)?,
            Step::Token { of } => {
                let token = ctx(of).map(|ctx| ctx.token());
                self.all[of].tokens.extend(token);
            }
            Step::HalfOfWhatRemains { of } => {
                let Some(parent) = ctx(of) else {
                    return Ok(());
                };
                let half = parent.with_budget(Budget::fraction(0.5));
                let theirs = &self.model.all[of];
                let Ok(half) = half else {
                    let is_right = theirs.why.is_some();
                    return is_right.then_some(()).ok_or("a budget was refused".into());
                };
                if theirs.why.is_some() {
                    return Err("a budget was granted to a context that has ended".into());
                }
                match theirs.deadline {
                    // Below a millisecond the timers have no say.
                    Some(at) if (at - self.model.now) % 2 == 0 => {
                        let at = self.model.now + (at - self.model.now) / 2;
                        self.model.with_deadline(of, at);
                    }
                    Some(_) => return Ok(()),
                    None => self.model.child(of),
                }
                self.push(half, None);
            }
            Step::WithTimeout { of, .. }
            | Step::WithDeadline { of, .. }
            | Step::WithName { of }
            | Step::WithValue { of, .. }
            | Step::WithoutValue { of, .. }
            | Step::WithoutCancel { of }
            | Step::DetachOnto { of, .. }
            | Step::Merge { one: of, .. } => {
                let Some(parent) = ctx(of) else {
                    return Ok(());
                };
                let now = self.model.now;
                let model = &mut self.model;
                let derived = match step {
                    Step::WithTimeout { after, .. } => {
                        model.with_deadline(of, now + after);
                        parent.with_timeout(Duration::from_millis(after))
                    }
                    Step::WithDeadline { at: when, .. } => {
                        model.with_deadline(of, when);
                        parent.with_deadline(at(when))
                    }
                    Step::WithName { .. } => {
                        model.child(of);
                        parent.with_name("a name")
                    }
                    Step::WithValue { key, value, .. } => {
                        model.with_value(of, key, Some(value));
                        match key {
                            0 => parent.with_value::<One>(value),
                            1 => parent.with_value::<Two>(value),
                            _ => parent.with_value::<RequestOnly>(value),
                        }
                    }
                    Step::WithoutValue { key, .. } => {
                        model.with_value(of, key, None);
                        match key {
                            0 => parent.without_value::<One>(),
                            1 => parent.without_value::<Two>(),
                            _ => parent.without_value::<RequestOnly>(),
                        }
                    }
                    Step::DetachOnto { onto, .. } => {
                        let Some(lifetime) = ctx(onto) else {
                            return Ok(());
                        };
                        model.detach(of, Some(onto));
                        parent.detach_onto(&lifetime)
                    }
                    Step::Merge { other, .. } => {
                        let Some(second) = ctx(other) else {
                            return Ok(());
                        };
                        model.merge(of, other);
                        parent.merge(&second)
                    }
                    _ => {
                        model.detach(of, None);
                        parent.without_cancel()
                    }
                };
                self.push(derived, None);
            }
        }
        self.compare()
    }

    fn register(&mut self, on: usize, stop: bool) -> Result<(), String> {
        let Some(ctx) = &self.all[on].ctx else {
            return Ok(());
        };
        let runs = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&runs);
        let registration = ctx.on_cancel(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let has_ended = self.model.all[on].why.is_some();
        let callback = if stop {
            let stopped = registration.stop();
            if stopped == has_ended {
                return Err(format!("stop said {stopped}"));
            }
            Callback {
                runs,
                _registration: None,
                stopped,
            }
        } else {
            Callback {
                runs,
                _registration: Some(registration),
                stopped: false,
            }
        };
        self.all[on].callbacks.push(callback);
        Ok(())
    }

    /// Asks every context for all it has to say.
    fn compare(&self) -> Result<(), String> {
        for (which, ours) in self.all.iter().enumerate() {
            let Some(ctx) = &ours.ctx else {
                continue;
            };
            let err = ctx.err();
            let why = err.as_ref().map(why).transpose()?;
            if why != self.model.all[which].why {
                let theirs = &self.model.all[which].why;
                return Err(format!("context {which} says {err:?}, not {theirs:?}"));
            }
            let theirs = &self.model.all[which];
            let has_ended = theirs.why.is_some();
            if (err.is_some(), ctx.is_done(), ctx.check().is_err())
                != (has_ended, has_ended, has_ended)
            {
                return Err(format!(
                    "context {which}: ended is {has_ended}, and not {err:?}"
                ));
            }
            let deadline = theirs
                .deadline
                .map(|at| self.start + Duration::from_millis(at));
            if ctx.deadline() != deadline {
                return Err(format!(
                    "context {which}: a deadline of {:?}",
                    ctx.deadline()
                ));
            }
            let values = [
                ctx.value::<One>(),
                ctx.value::<Two>(),
                ctx.value::<RequestOnly>(),
            ];
            for (key, value) in (0..=REQUEST_ONLY).zip(values) {
                if value.copied() != theirs.values.get(&key).copied().flatten() {
                    return Err(format!("context {which}: the value of {key} is {value:?}"));
                }
            }
            for callback in &ours.callbacks {
                let expected = usize::from(has_ended && !callback.stopped);
                let runs = callback.runs.load(Ordering::Relaxed);
                if runs != expected {
                    return Err(format!("a callback of context {which} ran {runs} times"));
                }
            }
            if ours
                .tokens
                .iter()
                .any(|token| token.is_cancelled() != has_ended)
            {
                return Err(format!("a token of context {which}: not {has_ended}"));
            }
        }
        Ok(())
    }
}

/// What an error of ours says, in the model's words.
fn why(cancelled: &Cancelled) -> Result<Why, String> {
    match cancelled.reason() {
        Reason::Cancelled => {
            let cause = cancelled.source().map(ToString::to_string);
            let cause = cause.and_then(|cause| cause.parse().ok());
            cause
                .map(Why::Cancelled)
                .ok_or("a cause that nobody gave".into())
        }
        Reason::Deadline => {
            let after = cancelled.after().ok_or("a deadline of no duration")?;
            Ok(Why::Deadline(after.as_millis() as u64))
        }
        // Guards are made below a name of their own.
        Reason::GuardDropped => {
            let name = cancelled.name().and_then(|name| name.parse().ok());
            name.map(Why::GuardDropped)
                .ok_or("a guard without its name".into())
        }
        reason => Err(format!("nobody ends anything with {reason:?}")),
    }
}

#[test]
fn random_trees_do_what_gos_contexts_do() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let steps = AtomicUsize::new(0);
    let config = Config {
        cases: SCRIPTS,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&vec(any::<[u8; 4]>(), 0..=LONGEST), |bytes| {
        runtime.block_on(async {
            let mut world = World::new();
            let mut taken = Vec::new();
            for bytes in bytes {
                steps.fetch_add(1, Ordering::Relaxed);
                let step = Step::of(bytes, world.all.len());
                taken.push(step);
                if let Err(difference) = world.take(step).await {
                    let text = format!("{difference}, after {taken:#?}");
                    return Err(TestCaseError::fail(text));
                }
            }
            Ok(())
        })
    });
    if let Err(TestError::Fail(why, _)) = outcome {
        panic!("{why}");
    }
    assert!(outcome.is_ok(), "{outcome:?}");
    let steps = steps.into_inner();
    assert!(steps >= STEPS, "only {steps} steps");
}
