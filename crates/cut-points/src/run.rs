//! One run: a world is made, the call is cut in it, and what is left is looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::call::{Call, Local, Start};
use crate::engine::{Cut, CutKind, Driven, Ended, Engine, Event, Plan};
use crate::fault::{Counting, Uses};
use crate::name::Seen;
use crate::panics::{self, Recording};
use crate::report::{self, Fault, FaultKind, Mode, Outcome, one_line};
use crate::settings::Settings;

pub(crate) type Setup<W> = Rc<dyn Fn() -> Local<'static, W>>;
pub(crate) type Check<W> = Rc<dyn for<'a> Fn(&'a W) -> Local<'a, ()>>;

/// What all runs of one test have in common.
pub(crate) struct Runner<'a, W> {
    pub(crate) settings: Settings,
    pub(crate) mode: Mode,
    /// Whether the text of an error says that the call was cancelled.
    pub(crate) is_cancelled: fn(&str) -> bool,
    pub(crate) setup: &'a Setup<W>,
    pub(crate) check: Option<&'a Check<W>>,
    pub(crate) start: &'a Start<W>,
    pub(crate) recording: &'a Recording,
    /// Panics of tasks that belong to a run without a cut.
    pub(crate) usual_panics: Vec<String>,
    /// Two runs without a cut took different steps.
    pub(crate) differs: bool,
}

/// What one run came to.
pub(crate) struct Run {
    pub(crate) events: Vec<Event>,
    /// How often something was used that can fail.
    pub(crate) uses: u64,
    /// The cut was made.
    pub(crate) reached: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) panics: Vec<String>,
    outcome: Outcome,
    at: Seen,
    event: Option<Event>,
}

impl Run {
    /// The names are resolved here, and only if something is wrong.
    pub(crate) fn cut(self, point: u64) -> report::Cut {
        let places = if self.faults.is_empty() {
            Vec::new()
        } else {
            self.at.places()
        };
        report::Cut {
            point,
            between: self.event == Some(Event::Task),
            places,
            outcome: self.outcome,
            faults: self.faults,
        }
    }
}

impl<W> Runner<'_, W> {
    /// Cuts at point `at`, or not at all; with `recorded`, so that what is found has a name.
    pub(crate) fn run(&self, at: Option<u64>, recorded: bool) -> Run {
        let mut run = Run {
            events: Vec::new(),
            uses: 0,
            reached: false,
            faults: Vec::new(),
            panics: Vec::new(),
            outcome: Outcome::Finished,
            at: Seen::default(),
            event: None,
        };
        if let Err(text) = self.in_a_world(at, recorded, &mut run) {
            run.faults.push(Fault::new(FaultKind::Clean, text));
        }
        run
    }

    fn in_a_world(&self, at: Option<u64>, recorded: bool, run: &mut Run) -> Result<(), String> {
        let mut engine = self.engine()?;
        let made = self.whole(&engine, (self.setup)());
        let world = made.map_err(|why| format!("the world cannot be made: {why}"))?;
        engine.settle(self.settings.settle);
        self.recording.take();
        let before = engine.tasks();

        let counting = (self.mode == Mode::Fail).then(|| Counting::start(at));
        let driven = self.call(&engine, &world, at, recorded);
        let uses = counting.map(Counting::stop);
        if self.mode == Mode::Crash && matches!(driven.ended, Ended::Cut) {
            engine.shut_down();
            engine = self.engine()?;
        }
        engine.settle(self.settings.settle);
        let running = engine.tasks().saturating_sub(before);
        if running > 0 && !self.settings.tasks {
            let text = still_runs(running, &driven.spawned);
            run.faults.push(Fault::new(FaultKind::StillRuns, text));
        }
        self.judge(driven, uses, run);
        self.unusual_panics(run);
        self.look(&engine, &world, "", run);
        if self.settings.again {
            self.again(&engine, &world, run);
        }
        let buried = catch_unwind(AssertUnwindSafe(|| engine.bury(world)));
        buried
            .map_err(|payload| format!("dropping the world panicked: {}", panics::text(&*payload)))
    }

    fn engine(&self) -> Result<Engine, String> {
        Engine::new(&self.settings).map_err(|error| format!("a runtime cannot be made: {error}"))
    }

    /// The call that is cut.
    fn call(
        &self,
        engine: &Engine,
        world: &W,
        at: Option<u64>,
        recorded: bool,
    ) -> Driven<Result<(), String>> {
        let Call { future, cancel } = (self.start)(world);
        let kind = match self.mode {
            Mode::Drop | Mode::Crash => Some(CutKind::Drop),
            Mode::Cancel => Some(CutKind::Cancel {
                cancel: &*cancel,
                grace: self.settings.grace,
            }),
            // The call is left alone; what it uses fails.
            Mode::Fail => None,
        };
        let steps = self.settings.steps;
        let plan = Plan {
            cut: at.zip(kind).map(|(at, kind)| Cut {
                at,
                steps,
                recorded,
                kind,
            }),
            ready: self.settings.ready,
            ..Plan::whole(self.settings.limit)
        };
        engine.drive(future, &plan)
    }

    fn judge(&self, driven: Driven<Result<(), String>>, uses: Option<Uses>, run: &mut Run) {
        run.events = driven.events;
        run.reached = driven.reached;
        run.at = driven.at;
        run.event = driven.event;
        if let Some(uses) = uses {
            run.uses = uses.count;
            run.reached = uses.failed.is_some();
            run.at = uses.failed.unwrap_or_default();
        }
        run.outcome = match driven.ended {
            Ended::Cut | Ended::Idle => Outcome::Dropped,
            Ended::Output(Ok(())) => Outcome::Finished,
            Ended::Output(Err(error)) => {
                let error = one_line(&error);
                if !run.reached {
                    let text = format!("the call failed: {error}");
                    run.faults.push(Fault::new(FaultKind::Clean, text));
                }
                let cancelled = run.reached && (self.is_cancelled)(&error);
                if cancelled {
                    Outcome::Cancelled
                } else {
                    Outcome::Failed(error)
                }
            }
            Ended::Panicked(text) => {
                let text = one_line(&self.with_line(text, run));
                let what = if run.reached {
                    "when it was cut, it panicked"
                } else {
                    "the call panicked"
                };
                run.faults
                    .push(Fault::new(FaultKind::Panic, format!("{what}: {text}")));
                Outcome::Panicked(text)
            }
            Ended::Stuck(why) => {
                let text = format!("the call does not end: {why}");
                run.faults.push(Fault::new(FaultKind::Hangs, text));
                Outcome::Hangs
            }
        };
        if let Some((why, seen)) = driven.deaf {
            let places = seen.places();
            let places = places
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" and ");
            let text = format!("deaf: the call {why} after it was cancelled, at {places}");
            run.faults.push(Fault::new(FaultKind::Deaf, text));
            if run.outcome != Outcome::Hangs {
                run.outcome = Outcome::Deaf;
            }
        }
    }

    /// The text of a panic that was caught, with the line that the hook saw.
    fn with_line(&self, text: String, run: &mut Run) -> String {
        run.panics.extend(self.recording.take());
        let seen = run.panics.iter().rposition(|line| line.starts_with(&text));
        seen.map_or(text, |seen| run.panics.remove(seen))
    }

    /// Panics that are reported nowhere else: those of tasks.
    fn unusual_panics(&self, run: &mut Run) {
        run.panics.extend(self.recording.take());
        for panic in &run.panics {
            if !self.usual_panics.contains(panic) && run.reached {
                let text = format!("a task panicked: {panic}");
                run.faults.push(Fault::new(FaultKind::TaskPanic, text));
            }
        }
    }

    /// Runs the check.
    fn look(&self, engine: &Engine, world: &W, when: &str, run: &mut Run) {
        let Some(check) = self.check else { return };
        if let Err(why) = self.whole(engine, check(world)) {
            let why = why.strip_prefix("panicked: ").unwrap_or(&why);
            run.faults
                .push(Fault::new(FaultKind::Check, format!("check{when}: {why}")));
        }
        engine.settle(self.settings.settle);
    }

    /// Calls a second time, which must succeed, and checks again.
    fn again(&self, engine: &Engine, world: &W, run: &mut Run) {
        let call = (self.start)(world);
        let why = match self.whole(engine, call.future) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("failed: {error}")),
            Err(why) => Some(why),
        };
        engine.settle(self.settings.settle);
        match why {
            Some(why) => {
                let text = format!("a second call {why}");
                run.faults.push(Fault::new(FaultKind::SecondCall, text));
            }
            // A check that failed already says nothing new.
            None if run
                .faults
                .iter()
                .any(|fault| fault.kind == FaultKind::Check) => {}
            None => self.look(engine, world, " after a second call", run),
        }
    }

    /// Polls a future to its end; the error says what it did instead.
    fn whole<T>(&self, engine: &Engine, future: Local<'_, T>) -> Result<T, String> {
        self.recording.take();
        match engine
            .drive(future, &Plan::whole(self.settings.limit))
            .ended
        {
            Ended::Output(output) => Ok(output),
            Ended::Panicked(text) => {
                let seen = self.recording.take();
                let line = seen.into_iter().rev().find(|line| line.starts_with(&text));
                Err(format!("panicked: {}", line.unwrap_or(text)))
            }
            Ended::Stuck(why) => Err(format!("does not end: {why}")),
            Ended::Cut | Ended::Idle => Err("was cut".to_owned()),
        }
    }
}

fn still_runs(running: usize, spawned: &[Seen]) -> String {
    let mut places: Vec<String> = Vec::new();
    for seen in spawned {
        for place in seen.places() {
            let place = place.to_string();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    let tasks = if running == 1 {
        "1 task still runs".to_owned()
    } else {
        format!("{running} tasks still run")
    };
    if places.is_empty() {
        return tasks;
    }
    format!(
        "{tasks}; the call spawned before it came to {}",
        places.join(", and before ")
    )
}
