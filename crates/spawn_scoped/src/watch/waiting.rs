//! What a waiting scope does about tasks that do not stop: reports them, and
//! aborts them when there is a grace and it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use tokio_ctx_core::future::DoneOwned;
use tokio_ctx_core::{Cancelled, Context};

use crate::rt::{self, Stamp};
use crate::state::shared::Shared;
use crate::watch::straggler::{self, REPORT_EVERY};

/// How often it is looked whether the tasks that were aborted are gone.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Lives on the stack of a scope's future.
pub(crate) struct Watch<'a> {
    shared: &'a Arc<Shared>,
    parent: &'a Context,
    state: State,
}

/// A scope that is done after a few polls, as most short ones are, registers
/// neither with its context nor with its ledger: the first waits only yield.
enum State {
    /// How many more waits are going to yield.
    Fresh(u8),
    /// Waits for the end of the context.
    Armed(Pin<Box<DoneOwned>>),
    /// The context has ended.
    Ended(Box<Ended>),
}

struct Ended {
    cause: Cancelled,
    since: Stamp,
    report: Pin<Box<DoneOwned>>,
    grace: Grace,
}

enum Grace {
    /// As long as it takes.
    Unlimited,
    Running(Pin<Box<DoneOwned>>),
    /// Every task has been aborted. A body that awaits them may end by itself
    /// now; one that still waits when they are gone is dropped.
    Over(Pin<Box<DoneOwned>>),
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, parent: &'a Context) -> Self {
        Self {
            shared,
            parent,
            state: State::Fresh(rt::YIELDS),
        }
    }

    /// To be called by each poll of the body that has to wait. Says whether the
    /// body has to go: the grace is over, and all the tasks are gone.
    #[must_use]
    pub(crate) fn poll_body(&mut self, cx: &mut Poller<'_>) -> bool {
        self.poll(cx);
        let State::Ended(ended) = &mut self.state else {
            return false;
        };
        let Grace::Over(look) = &mut ended.grace else {
            return false;
        };
        while look.as_mut().poll(cx).is_ready() {
            if self.shared.ledger.num_tickets() <= 1 {
                return true;
            }
            *look = timer(LOOK_EVERY);
        }
        false
    }

    /// Whether the next wait is going to yield.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(self.state, State::Fresh(1..))
    }

    /// Waits for nothing but the next turn.
    pub(crate) fn yield_once(&mut self, cx: &mut Poller<'_>) {
        if let State::Fresh(yields) = &mut self.state {
            *yields = yields.saturating_sub(1);
            rt::yield_once(cx, *yields);
        }
    }

    /// To be called by each poll that has to wait.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) {
        match &mut self.state {
            State::Fresh(0) => {
                self.shared.start_clock();
                self.shared.show_in_tree(self.parent);
                self.state = State::Armed(Box::pin(self.shared.context().done_owned()));
            }
            State::Fresh(_) => return self.yield_once(cx),
            State::Armed(_) | State::Ended(_) => {}
        }
        if let State::Armed(done) = &mut self.state {
            let Poll::Ready(cause) = done.as_mut().poll(cx) else {
                return;
            };
            self.state = State::Ended(Box::new(Ended::new(self.shared, cause)));
        }
        if let State::Ended(ended) = &mut self.state {
            ended.poll(self.shared, cx);
        }
    }
}

impl Ended {
    fn new(shared: &Shared, cause: Cancelled) -> Self {
        let since = Stamp::now();
        shared.rare.lock().ended = Some(since);
        let grace = shared
            .grace()
            .map_or(Grace::Unlimited, |grace| Grace::Running(timer(grace)));
        Self {
            cause,
            since,
            report: timer(REPORT_EVERY),
            grace,
        }
    }

    fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Poller<'_>) {
        while self.report.as_mut().poll(cx).is_ready() {
            straggler::report(shared, &self.cause, self.since);
            self.report = timer(REPORT_EVERY);
        }
        if let Grace::Running(grace) = &mut self.grace {
            if grace.as_mut().poll(cx).is_ready() {
                self.grace = Grace::Over(timer(LOOK_EVERY));
                shared.abort_all();
            }
        }
    }
}

/// Ready after `after`. A context's deadline rather than a runtime's timer: it
/// needs no runtime, and outlives the one that armed it.
fn timer(after: Duration) -> Pin<Box<DoneOwned>> {
    Box::pin(Context::background().with_timeout(after).done_owned())
}
