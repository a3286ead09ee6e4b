//! Runs a model, counts what was explored, and insists on a floor and on all outcomes.

use std::any::type_name;
use std::future::poll_fn;
use std::io::Write as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

#[cfg(loom)]
pub(crate) use loom as checker;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle as checker;

pub(crate) use checker::thread::spawn;
pub(crate) use tokio_ctx_core::model::block_on;
use tokio_ctx_core::{Cancelled, Reason};

/// An error of a task's own, or that of being stopped.
#[derive(Debug, PartialEq)]
pub(crate) enum Failed {
    Own,
    Stopped(Reason),
}

impl From<Cancelled> for Failed {
    fn from(cancelled: Cancelled) -> Self {
        Failed::Stopped(cancelled.reason())
    }
}

/// A model, and what must be true of its exploration.
pub(crate) struct Model {
    /// Executions that loom must at least explore.
    floor: usize,
    /// The bound on preemptions.
    bound: usize,
    /// The bound of a deep run.
    deep: usize,
    outcomes: &'static [&'static str],
}

/// The outcomes that were seen, over all executions.
pub(crate) struct Seen {
    outcomes: &'static [&'static str],
    marks: Vec<AtomicBool>,
}

impl Model {
    /// A model of at least `floor` executions at a bound of 3 preemptions, 4 when
    /// deep.
    pub(crate) fn of(floor: usize) -> Model {
        Model {
            floor,
            bound: 3,
            deep: 4,
            outcomes: &[],
        }
    }

    /// Too many executions for a bound of 3: 2, and 3 when deep.
    pub(crate) fn large(mut self) -> Model {
        self.bound = 2;
        self.deep = 3;
        self
    }

    /// Three threads that each take many steps: 1, and 2 when deep.
    pub(crate) fn huge(mut self) -> Model {
        self.bound = 1;
        self.deep = 2;
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
        let marks = self
            .outcomes
            .iter()
            .map(|_| AtomicBool::new(false))
            .collect();
        let seen = Arc::new(Seen {
            outcomes: self.outcomes,
            marks,
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
        let seconds = started.elapsed().as_secs_f64();
        let executions = executions.load(Ordering::Relaxed);
        // Not `println!`: the harness of tests would keep it to itself.
        let _ = writeln!(
            std::io::stdout(),
            "\nmodel={name} executions={executions} seconds={seconds:.3} bound={bound}"
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
        builder.preemption_bound = Some(if is_deep { self.deep } else { self.bound });
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

        const SEED: u64 = 0x7363_6f70_655f_6378;
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

/// Something whose life a model watches. Its count is the checker's, and relaxed: who reads zero
/// where it could still be one was not told of the end.
pub(crate) struct Live(Arc<checker::sync::atomic::AtomicUsize>);

impl Live {
    /// How many there are beside this one.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Live {
    fn default() -> Live {
        Live(Arc::new(checker::sync::atomic::AtomicUsize::new(0)))
    }
}

impl Clone for Live {
    fn clone(&self) -> Live {
        self.0.fetch_add(1, Ordering::Relaxed);
        Live(Arc::clone(&self.0))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Polls `future` once and drops it: a scope that is given up half-way.
pub(crate) fn poll_once_and_drop<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

/// Polls `future` once, with a waker that wakes who polls.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
