//! The test: a world, what must hold in it, and the function that is cut.

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::call::{Call, Ending, Start};
use crate::environment;
use crate::explore::explore;
use crate::panics::Recording;
use crate::report::{Mode, Report};
use crate::run::{Check, Runner, Setup};
use crate::settings::Settings;
use crate::signal::Signal;

/// A test whose world is made anew for each cut; [`world`] makes one.
#[must_use = "nothing is run before one of the methods that end in `_everywhere`"]
pub struct World<W> {
    setup: Setup<W>,
    check: Option<Check<W>>,
    settings: Settings,
}

/// Begins a test: `setup` makes what the function under test works on.
///
/// It runs inside of a fresh tokio runtime, once for each cut, so that no cut sees what another one
/// has left. Its clock is paused: a sleep takes no time.
///
/// ```
/// use std::cell::Cell;
/// use tokio::sync::Semaphore;
///
/// struct Pool { free: Semaphore, busy: Cell<u32> }
///
/// async fn count_while_busy(pool: &Pool) {
///     let _permit = pool.free.acquire().await.expect("never closed");
///     pool.busy.set(pool.busy.get() + 1);
///     tokio::task::yield_now().await; // dropped here, it never counts down
///     pool.busy.set(pool.busy.get() - 1);
/// }
///
/// let report = cut_points::world(async || Pool { free: Semaphore::new(1), busy: Cell::new(0) })
///     .check(async |pool: &Pool| assert_eq!(pool.busy.get(), 0, "still busy"))
///     .drop_everywhere(async |pool: &Pool| count_while_busy(pool).await);
/// assert!(!report.is_ok());
/// ```
pub fn world<W: 'static>(setup: impl AsyncFn() -> W + 'static) -> World<W> {
    let setup = Rc::new(setup);
    World {
        setup: Rc::new(move || {
            let setup = Rc::clone(&setup);
            Box::pin(async move { setup().await })
        }),
        check: None,
        settings: Settings::default(),
    }
}

impl<W: 'static> World<W> {
    /// Checks the world after a cut: `check` panics if something does not hold.
    ///
    /// It runs when everything that was ready has run, and again after the second call.
    pub fn check(mut self, check: impl AsyncFn(&W) + 'static) -> Self {
        let check = Rc::new(check);
        self.check = Some(Rc::new(move |world| {
            let check = Rc::clone(&check);
            Box::pin(async move { check(world).await })
        }));
        self
    }

    /// Makes no second call after a cut.
    ///
    /// Without this the function is called once more after each cut, and must succeed.
    pub fn once(mut self) -> Self {
        self.settings.again = false;
        self
    }

    /// Lets tasks that the call spawned outlive it.
    ///
    /// Without this a task that still runs after a cut is a fault.
    pub fn tasks_may_outlive(mut self) -> Self {
        self.settings.tasks = true;
        self
    }

    /// Cuts only where the call itself was polled, and not after each poll of a spawned task.
    pub fn skip_tasks(mut self) -> Self {
        self.settings.steps = false;
        self
    }

    /// Cuts only where the call really waited, and not where an await was ready at once.
    ///
    /// Without this each await of something of tokio's is a point: tokio lets any of them wait for
    /// one poll, so that a busy task does not keep others from running.
    pub fn skip_ready(mut self) -> Self {
        self.settings.ready = false;
        self
    }

    /// Lets the clock run, for a world with sockets, processes or threads in it.
    ///
    /// A paused clock jumps to the next deadline whenever nothing is ready, so that a time limit on
    /// an answer from a socket strikes at once.
    pub fn real_time(mut self) -> Self {
        self.settings.real_time();
        self
    }

    /// How long, in real time, sockets and threads must be silent before the tool concludes that
    /// nothing more comes from them: before a paused clock moves, and before it looks at what a cut
    /// has left.
    ///
    /// It is zero with a paused clock and 20 ms in [real time](World::real_time), unless it is set.
    pub fn quiet(mut self, silence: Duration) -> Self {
        self.settings.quiet = silence;
        self
    }

    /// How long the work that a cut has left may take to end, on the clock of the world.
    ///
    /// It is zero unless it is set: what is ready runs, but no sleep ends.
    pub fn settle(mut self, time: Duration) -> Self {
        self.settings.settle = time;
        self
    }

    /// How long a call or a check may take before it counts as hanging.
    ///
    /// It is an hour with a paused clock and ten seconds in [real time](World::real_time).
    pub fn limit(mut self, time: Duration) -> Self {
        self.settings.limit = time;
        self
    }

    /// The most points that are cut, 1000 unless it is set. Where there are more, they are drawn at
    /// random, and the report says how to draw the same ones again.
    pub fn at_most(mut self, points: u64) -> Self {
        self.settings.most_points = points;
        self
    }

    /// Which points are drawn where there are more than [`at_most`](World::at_most).
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Cuts at one point alone, and lets panics print their backtrace: what a report's line `replay`
    /// does with the variable `CUT_POINTS_ONLY`.
    pub fn only(mut self, point: u64) -> Self {
        self.settings.only = Some(point);
        self
    }

    /// How long a cancelled call may go on, for [`cancel_everywhere`](World::cancel_everywhere).
    ///
    /// It is a second with a paused clock and two in [real time](World::real_time).
    pub fn ends_within(mut self, time: Duration) -> Self {
        self.settings.grace = time;
        self
    }

    /// Drops the call at each of its points, and looks at what is left.
    ///
    /// This is what happens to a future in a `select!` whose other branch is ready first, in a
    /// `timeout` that strikes, and in a handler whose client is gone.
    #[track_caller]
    pub fn drop_everywhere<O: Ending>(&self, run: impl AsyncFn(&W) -> O + 'static) -> Report {
        self.without_signal(Mode::Drop, run)
    }

    /// Drops the call and the runtime with all its tasks at each point, and looks at what is left
    /// from a new runtime.
    ///
    /// This is what a panic in `main` does, or a `main` that returns, say after Ctrl-C: no task
    /// runs on, and what a destructor spawns is dropped unpolled. It is not what `kill -9` does:
    /// destructors run. The world must outlive a runtime, so it may hold files, locks and channels
    /// of tokio's, but no socket or timer of the runtime that was dropped.
    #[track_caller]
    pub fn crash_everywhere<O: Ending>(&self, run: impl AsyncFn(&W) -> O + 'static) -> Report {
        self.without_signal(Mode::Crash, run)
    }

    /// Cancels what the call was given at each of its points; then it must end in good time, and
    /// leave nothing behind.
    ///
    /// A call that goes on for more than [`ends_within`](World::ends_within) is deaf: the report
    /// names the await that does not look.
    #[track_caller]
    pub fn cancel_everywhere<S: Signal, O: Ending>(
        &self,
        run: impl AsyncFn(&W, &S) -> O + 'static,
    ) -> Report {
        let run = Rc::new(run);
        self.explore(Mode::Cancel, S::is_named_by, &move |world| {
            let run = Rc::clone(&run);
            let (signal, cancel) = S::signal();
            Call {
                future: Box::pin(async move { run(world, &signal).await.ending() }),
                cancel,
            }
        })
    }

    /// Lets each use of a dependency fail once, and looks at what is left.
    ///
    /// The uses are those of [`fault_here`](crate::fault_here) and
    /// [`Faulty`](crate::Faulty) in the world, on the thread of the test. The call may return an
    /// error, or try again and finish; afterwards the check must hold, and a second call, in
    /// which nothing fails, must succeed.
    #[track_caller]
    pub fn fail_everywhere<O: Ending>(&self, run: impl AsyncFn(&W) -> O + 'static) -> Report {
        self.without_signal(Mode::Fail, run)
    }

    #[track_caller]
    fn without_signal<O: Ending>(
        &self,
        mode: Mode,
        run: impl AsyncFn(&W) -> O + 'static,
    ) -> Report {
        let run = Rc::new(run);
        self.explore(mode, |_| false, &move |world| {
            let run = Rc::clone(&run);
            Call {
                future: Box::pin(async move { run(world).await.ending() }),
                cancel: Box::new(|| {}),
            }
        })
    }

    #[track_caller]
    fn explore(&self, mode: Mode, is_cancelled: fn(&str) -> bool, start: &Start<W>) -> Report {
        let mut settings = self.settings.clone();
        environment::apply(&mut settings);
        // A fault comes from what is used, whether or not an await waited before.
        settings.ready &= mode != Mode::Fail;
        let recording = Recording::start(settings.only.is_none());
        let runner = Runner {
            settings,
            mode,
            is_cancelled,
            setup: &self.setup,
            check: self.check.as_ref(),
            start,
            recording: &recording,
            usual_panics: Vec::new(),
            differs: false,
        };
        explore(runner, Location::caller())
    }
}
