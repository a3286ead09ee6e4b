//! One future on the engine: where it is cut, and what it came to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::host::{Host, Shared, spend_one};
use crate::call::Local;
use crate::name::{self, Seen};
use crate::panics;

/// More polls than this, and a call counts as one that never ends.
const MOST_POLLS: u64 = 100_000;
/// The same for steps, which the tasks of the world take too.
const MOST_STEPS: u64 = 400_000;
/// Polls that a call may take after its cancellation before it counts as deaf.
const POLLS_AFTER_CANCEL: u64 = 10_000;
/// Polls after which a deaf call counts as one that never ends.
const DEAF_POLLS: u64 = 12_000;
/// How long leftovers are waited for in real time, if they never rest.
const RESTLESS: Duration = Duration::from_secs(2);
/// Awaits are recorded from this many points before the cut, for the tasks spawned there.
const RECORDED: u64 = 64;

/// What happened between two looks of the engine; each is a point at which a cut can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The call was polled and waits.
    Waits,
    /// A spawned task was polled.
    Task,
}

/// What to do with the call, and until when.
pub(crate) struct Plan<'a> {
    pub(crate) cut: Option<Cut<'a>>,
    /// The longest that the whole may take.
    pub(crate) limit: Duration,
    /// Awaits that are ready at once wait for one poll nevertheless.
    pub(crate) ready: bool,
    pub(crate) until_idle: bool,
}

pub(crate) struct Cut<'a> {
    /// The number of the point, from 1.
    pub(crate) at: u64,
    /// Whether the polls of spawned tasks are points too.
    pub(crate) steps: bool,
    /// Whether awaits are recorded, so that they have names: a trace costs more than a poll.
    pub(crate) recorded: bool,
    pub(crate) kind: CutKind<'a>,
}

pub(crate) enum CutKind<'a> {
    /// The future is dropped.
    Drop,
    /// Its context is cancelled, and it may go on for as long as `grace`.
    Cancel {
        cancel: &'a dyn Fn(),
        grace: Duration,
    },
}

impl<'a> Plan<'a> {
    /// No cut, and nothing that is asked of the future.
    pub(crate) fn whole(limit: Duration) -> Plan<'a> {
        Plan {
            cut: None,
            limit,
            ready: false,
            until_idle: false,
        }
    }

    pub(super) fn until_idle() -> Plan<'a> {
        Plan {
            until_idle: true,
            ..Plan::whole(RESTLESS)
        }
    }
}

pub(crate) enum Ended<T> {
    /// Dropped at the cut.
    Cut,
    Output(T),
    Panicked(String),
    /// It would go on for ever.
    Stuck(String),
    /// Nothing is ready any more.
    Idle,
}

pub(crate) struct Driven<T> {
    pub(crate) ended: Ended<T>,
    pub(crate) events: Vec<Event>,
    /// The cut was made.
    pub(crate) reached: bool,
    /// Where the call stood at the cut, or where it is stuck.
    pub(crate) at: Seen,
    /// What made the cut's point: the call itself or a task.
    pub(crate) event: Option<Event>,
    /// Where it stood when it had gone on for too long after its cancellation, and why that is.
    pub(crate) deaf: Option<(String, Seen)>,
    /// Where the call waited after the polls that spawned tasks.
    pub(crate) spawned: Vec<Seen>,
}

pub(super) struct Drive<'f, 'p, T> {
    engine: &'p Host,
    plan: &'p Plan<'p>,
    future: Option<Local<'f, T>>,
    woken: Arc<AtomicBool>,
    events: Vec<Event>,
    points: u64,
    polls: u64,
    reached: bool,
    at: Seen,
    event: Option<Event>,
    last: Seen,
    tasks: usize,
    spawned: Vec<Seen>,
    deaf: Option<(String, Seen)>,
    cancelled: Option<Instant>,
    polls_after: u64,
    first: bool,
    resting: bool,
    quiet_steps: u32,
    sentinel_seen: u64,
    quiet_since: Option<std::time::Instant>,
    began: std::time::Instant,
    deadline: Option<Pin<Box<Sleep>>>,
    steps: u64,
}

impl<'f, 'p, T> Drive<'f, 'p, T> {
    pub(super) fn new(engine: &'p Host, future: Option<Local<'f, T>>, plan: &'p Plan<'p>) -> Self {
        Drive {
            engine,
            plan,
            woken: Arc::new(AtomicBool::new(future.is_some())),
            future,
            events: Vec::new(),
            points: 0,
            polls: 0,
            reached: false,
            at: Seen::default(),
            event: None,
            last: Seen::default(),
            tasks: engine.tasks(),
            spawned: Vec::new(),
            deaf: None,
            cancelled: None,
            polls_after: 0,
            first: true,
            resting: false,
            quiet_steps: 0,
            sentinel_seen: 0,
            quiet_since: None,
            began: std::time::Instant::now(),
            deadline: None,
            steps: 0,
        }
    }

    pub(super) fn driven(self, ended: Ended<T>) -> Driven<T> {
        Driven {
            ended,
            events: self.events,
            reached: self.reached,
            at: self.at,
            event: self.event,
            deaf: self.deaf,
            spawned: self.spawned,
        }
    }

    /// Called by the runtime before each poll of a task.
    pub(super) fn step(&mut self, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        let sentinel = self.engine.sentinel_ran(&mut self.sentinel_seen);
        self.quiet_steps = if sentinel { self.quiet_steps + 1 } else { 0 };
        self.steps += 1;
        let task_ran = !self.first && !sentinel && !self.resting;
        self.resting = false;
        if self.first {
            self.first = false;
            self.quiet_steps = 0;
            self.deadline = Some(Box::pin(tokio::time::sleep(self.plan.limit)));
        }
        if task_ran {
            self.quiet_since = None;
            if let Some(ended) = self.point(Event::Task) {
                return Poll::Ready(ended);
            }
        }
        if self.woken.swap(false, Ordering::SeqCst) {
            self.quiet_since = None;
            self.quiet_steps = 0;
            if let Some(ended) = self.poll(cx) {
                return Poll::Ready(ended);
            }
        }
        if let Some(ended) = self.gone_on_for_too_long() {
            return Poll::Ready(ended);
        }
        if self.quiet_steps >= 2 && !self.woken.load(Ordering::SeqCst) && self.silence() {
            if self.plan.until_idle {
                return Poll::Ready(Ended::Idle);
            }
            return self.rest(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Ended<T>> {
        let recorded = self.is_recorded();
        let (waker, seen) = name::waker(&self.woken, cx.waker(), recorded);
        let mut inner = Context::from_waker(&waker);
        if self.plan.ready {
            for _ in 0..self.engine.spend {
                spend_one();
            }
        }
        let future = self.future.as_mut()?;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            name::root(|| future.as_mut().poll(&mut inner))
        }));
        match polled {
            Err(payload) => {
                self.drop_future();
                return Some(Ended::Panicked(panics::text(&*payload)));
            }
            Ok(Poll::Ready(output)) => {
                return Some(match self.drop_future() {
                    Some(panicked) => panicked,
                    None => Ended::Output(output),
                });
            }
            Ok(Poll::Pending) => {}
        }
        self.polls += 1;
        if recorded {
            self.last = seen;
        }
        if self.cancelled.is_some() {
            self.polls_after += 1;
        }
        self.point(Event::Waits)
    }

    /// Whether the awaits of the next poll are worth a trace of each.
    fn is_recorded(&self) -> bool {
        let Some(cut) = &self.plan.cut else {
            return false;
        };
        if !cut.recorded {
            return false;
        }
        if !self.reached {
            return self.points + RECORDED >= cut.at;
        }
        self.deaf.is_none()
            && (self.polls_after < 256 || self.polls_after + 2 >= POLLS_AFTER_CANCEL)
    }

    /// Counts a point, and cuts there if it is the one.
    fn point(&mut self, event: Event) -> Option<Ended<T>> {
        self.events.push(event);
        let tasks = self.engine.tasks();
        for _ in self.tasks..tasks {
            self.spawned.push(self.last.clone());
        }
        self.tasks = tasks;
        let cut = self.plan.cut.as_ref()?;
        if self.reached || (event == Event::Task && !cut.steps) {
            return None;
        }
        self.points += 1;
        if self.points != cut.at {
            return None;
        }
        self.reached = true;
        self.event = Some(event);
        self.at = self.last.clone();
        match &cut.kind {
            CutKind::Drop => Some(self.drop_future().unwrap_or(Ended::Cut)),
            CutKind::Cancel { cancel, .. } => {
                self.cancelled = Some(Instant::now());
                cancel();
                None
            }
        }
    }

    /// Its panic, if it has one.
    fn drop_future(&mut self) -> Option<Ended<T>> {
        let dropped = catch_unwind(AssertUnwindSafe(|| self.future = None));
        let payload = dropped.err()?;
        Some(Ended::Panicked(panics::text(&*payload)))
    }

    fn gone_on_for_too_long(&mut self) -> Option<Ended<T>> {
        if self.plan.until_idle {
            return (self.began.elapsed() >= RESTLESS).then_some(Ended::Idle);
        }
        let deadline = self.deadline.as_ref()?.deadline();
        let now = Instant::now();
        if let (Some(since), None) = (self.cancelled, &self.deaf) {
            self.listen(now - since);
        }
        let stuck = if self.polls > MOST_POLLS {
            format!("it was polled {MOST_POLLS} times")
        } else if self.steps > MOST_STEPS {
            format!("tasks were polled {MOST_STEPS} times")
        } else if self.deaf.is_some() && self.polls_after > DEAF_POLLS {
            format!("it was polled {DEAF_POLLS} times after it was cancelled")
        } else if now >= deadline {
            format!("it waited for {:?}", self.plan.limit)
        } else {
            return None;
        };
        if !self.reached {
            self.at = self.last.clone();
        }
        if let Some(panicked) = self.drop_future() {
            return Some(panicked);
        }
        Some(Ended::Stuck(stuck))
    }

    /// Whether the call still heeds its context `after` that was cancelled.
    fn listen(&mut self, after: Duration) {
        let Some(Cut {
            kind: CutKind::Cancel { grace, .. },
            ..
        }) = &self.plan.cut
        else {
            return;
        };
        let why = if after > *grace {
            format!("went on for more than {grace:?}")
        } else if self.polls_after > POLLS_AFTER_CANCEL {
            format!("was polled more than {POLLS_AFTER_CANCEL} times")
        } else {
            return;
        };
        self.deaf = Some((why, self.last.clone()));
    }

    /// Whether it has been still for long enough that nothing can come from outside.
    fn silence(&mut self) -> bool {
        let now = std::time::Instant::now();
        let since = *self.quiet_since.get_or_insert(now);
        // A real clock waits by itself, in the driver.
        let wanted = !self.engine.real_time || self.plan.until_idle;
        if !wanted || now - since >= self.engine.quiet {
            return true;
        }
        thread::sleep(Duration::from_micros(100));
        false
    }

    /// Waits for the clock or the driver.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        self.resting = true;
        self.quiet_steps = 0;
        self.quiet_since = None;
        Shared::keep(&self.engine.shared.resting, cx);
        // A program that waits for nothing at all is woken by the end of its time.
        let over = match &mut self.deadline {
            Some(deadline) => deadline.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if over {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
