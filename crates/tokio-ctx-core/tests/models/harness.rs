//! Runs a model, counts what was explored, and insists on a floor and on all outcomes.

use std::any::type_name;
use std::error::Error as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use tokio_ctx_core::{CancelHandle, Cancelled, Context, Reason};

#[cfg(loom)]
pub(crate) use loom as checker;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle as checker;

pub(crate) use checker::thread::spawn;

/// A model, and what must be true of its exploration.
pub(crate) struct Model {
    /// Executions that loom must at least explore.
    floor: usize,
    /// The bound on preemptions.
    bound: usize,
    /// The bound of a deep run; `None` for none.
    deep: Option<usize>,
    outcomes: &'static [&'static str],
}

/// The outcomes that were seen, over all executions.
pub(crate) struct Seen {
    outcomes: &'static [&'static str],
    marks: Vec<AtomicBool>,
}

impl Model {
    /// A model of at least `floor` executions at a bound of 3 preemptions, 4 when deep.
    pub(crate) fn of(floor: usize) -> Model {
        Model {
            floor,
            bound: 3,
            deep: Some(4),
            outcomes: &[],
        }
    }

    /// Too many executions for a bound of 3: 2, and 3 when deep.
    pub(crate) fn large(mut self) -> Model {
        self.bound = 2;
        self.deep = Some(3);
        self
    }

    /// So few executions that a deep run needs no bound.
    pub(crate) fn small(mut self) -> Model {
        self.deep = None;
        self
    }

    /// What must be seen in one execution or another.
    pub(crate) fn sees(mut self, outcomes: &'static [&'static str]) -> Model {
        self.outcomes = outcomes;
        self
    }

    /// Explores `f`, which has the name of the function it is written in.
    pub(crate) fn explore<F: Fn(&Seen) + Send + Sync + 'static>(self, f: F) {
        let name = type_name::<F>()
            .split("::")
            .filter(|part| !part.starts_with('{'))
            .last()
            .unwrap_or_default();
        let seen = Arc::new(Seen {
            outcomes: self.outcomes,
            marks: self
                .outcomes
                .iter()
                .map(|_| AtomicBool::new(false))
                .collect(),
        });
        let executions = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let bound = {
            let (seen, executions) = (Arc::clone(&seen), Arc::clone(&executions));
            self.check(move || {
                executions.fetch_add(1, Ordering::Relaxed);
                f(&seen);
            })
        };
        let took = started.elapsed();
        let executions = executions.load(Ordering::Relaxed);
        // Not `println!`: the harness of tests would keep it to itself.
        let _ = writeln!(
            std::io::stdout(),
            "\nmodel={name} executions={executions} seconds={:.3} bound={bound}",
            took.as_secs_f64()
        );
        seen.assert_all(name);
        // shuttle explores as many as it is told to.
        let floor = if cfg!(loom) { self.floor } else { 1 };
        assert!(
            executions >= floor,
            "{name} explored {executions} executions, expected {floor} or more: something it \
             depends on is hidden from the checker"
        );
    }

    #[cfg(loom)]
    fn check(&self, f: impl Fn() + Send + Sync + 'static) -> String {
        let is_deep = std::env::var_os("TOKIO_CTX_DEEP").is_some();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = if is_deep { self.deep } else { Some(self.bound) };
        builder.max_branches = builder.max_branches.max(10_000);
        // These two would end the exploration early and report success.
        builder.max_duration = None;
        builder.max_permutations = None;
        let bound = builder.preemption_bound;
        builder.check(f);
        bound.map_or_else(|| "none".to_owned(), |bound| bound.to_string())
    }

    /// Fixed seeds: what passes once passes again.
    #[cfg(all(shuttle, not(loom)))]
    fn check(&self, f: impl Fn() + Send + Sync + 'static) -> String {
        use shuttle::scheduler::{PctScheduler, RandomScheduler};

        let schedules = std::env::var("SHUTTLE_SCHEDULES")
            .ok()
            .and_then(|number| number.parse().ok())
            .unwrap_or(2_000);
        let mut config = shuttle::Config::default();
        config.stack_size = 0x2_0000;
        let f = Arc::new(f);
        let again = Arc::clone(&f);
        let pct = PctScheduler::new_from_seed(SEED, 3, schedules);
        shuttle::Runner::new(pct, config.clone()).run(move || f());
        let random = RandomScheduler::new_from_seed(SEED, schedules);
        shuttle::Runner::new(random, config).run(move || again());
        "shuttle".to_owned()
    }
}

#[cfg(all(shuttle, not(loom)))]
const SEED: u64 = 0x746f_6b69_6f5f_6378;

impl Seen {
    pub(crate) fn mark(&self, outcome: &str) {
        let index = self.outcomes.iter().position(|known| *known == outcome);
        let index = index.unwrap_or_else(|| panic!("an outcome nobody expects: {outcome}"));
        self.marks[index].store(true, Ordering::Relaxed);
    }

    fn assert_all(&self, name: &str) {
        for (outcome, mark) in self.outcomes.iter().zip(&self.marks) {
            assert!(
                mark.load(Ordering::Relaxed),
                "{name} never saw the outcome {outcome:?}"
            );
        }
    }
}

/// A child that only the handle and the parent end: no guard ends it when it goes.
pub(crate) fn cancellable(parent: &Context) -> (Context, CancelHandle) {
    let guard = parent.with_cancel();
    let handle = guard.handle();
    (guard.disarm(), handle)
}

/// The letter that stands for an outcome: that of the cause, or one for the reason.
pub(crate) fn letter(cancelled: &Cancelled) -> char {
    match cancelled.reason() {
        Reason::Cancelled => cancelled
            .source()
            .and_then(|cause| cause.to_string().chars().next())
            .unwrap_or('?'),
        Reason::GuardDropped => 'g',
        Reason::Deadline => 'd',
        Reason::Token => 'f',
        reason => panic!("no model ends a context with {reason:?}"),
    }
}

/// The letter of the outcome, if there is one.
pub(crate) fn err(ctx: &Context) -> Option<char> {
    ctx.err().as_ref().map(letter)
}

/// Waits, and gives the letter of the outcome.
pub(crate) fn wait(ctx: &Context) -> char {
    letter(&tokio_ctx_core::model::block_on(ctx.done()))
}
