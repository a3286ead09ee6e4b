//! What a waiting scope does about tasks that do not stop: reports them, and
//! aborts them when there is a grace and it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use tokio_ctx_core::future::{Done, DoneOwned};
use tokio_ctx_core::{Cancelled, Context, owner};

use crate::foreign::quietly;
use crate::state::shared::Shared;
use crate::watch::{reports, straggler};

/// Lives on the stack of a scope's future.
///
/// Its polls come after the future's waker is in the ledger, which wakes it for three reasons:
/// the last one has left, the scope was ended from inside, or a report is due. The end of the
/// parent wakes it through the parent's context. No timer of ours runs but the grace.
pub(crate) struct Watch<'a> {
    shared: &'a Arc<Shared>,
    parent: &'a Context,
    state: State<'a>,
}

enum State<'a> {
    /// It has not waited yet. The first wait only lets the tasks run that are ready now: most
    /// short scopes are done then, and never appear in a snapshot.
    Fresh,
    /// It has waited once.
    Waited,
    /// In the tree, and waiting for the end of the context.
    Armed(Armed<'a>),
    /// The context has ended.
    Ended(Box<Ended>),
}

struct Armed<'a> {
    /// `None` if the parent never ends, or has ended.
    parents: Option<Pin<Box<Done<'a>>>>,
    /// After the end of the parent: why it ended, and how long the tasks still have.
    drain: Option<(Cancelled, Pin<Box<DoneOwned>>)>,
}

impl Armed<'_> {
    fn poll(&mut self, shared: &Shared, cx: &mut Poller<'_>) {
        if let Some(parents) = &mut self.parents {
            let Poll::Ready(cause) = parents.as_mut().poll(cx) else {
                return;
            };
            self.parents = None;
            self.drain = shared.drain().map(|drain| (cause, after(drain)));
        }
        if let Some((cause, over)) = &mut self.drain {
            if over.as_mut().poll(cx).is_ready() {
                shared.close(cause.clone());
                self.drain = None;
            }
        }
    }
}

/// Ready then. A context's deadline rather than a runtime's timer: it needs no runtime, and
/// outlives the one that armed it.
fn after(time: Duration) -> Pin<Box<DoneOwned>> {
    Box::pin(Context::background().with_timeout(time).done_owned())
}

struct Ended {
    cause: Cancelled,
    grace: Grace,
}

enum Grace {
    /// As long as it takes.
    Unlimited,
    Running(Pin<Box<DoneOwned>>),
    /// Every task has been aborted.
    Over,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, parent: &'a Context) -> Self {
        Self {
            shared,
            parent,
            state: State::Fresh,
        }
    }

    /// To be called by each poll that has to wait, once its waker is in the ledger.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) {
        match &mut self.state {
            State::Fresh => {
                self.state = State::Waited;
                quietly(|| cx.waker().wake_by_ref());
                return;
            }
            State::Waited => {
                self.shared.start_clock();
                // What is in the background is shown with its scope.
                if !self.shared.is_background() {
                    self.shared.show_in_tree(self.parent);
                }
                let may_end = self.parent.can_be_cancelled();
                self.state = State::Armed(Armed {
                    parents: may_end.then(|| Box::pin(self.parent.done())),
                    drain: None,
                });
            }
            State::Armed(_) | State::Ended(_) => {}
        }
        if let State::Armed(armed) = &mut self.state {
            // The scope ends its own context as well, and then wakes us itself.
            armed.poll(self.shared, cx);
            // A deadline of its own it has none, and the parent's was just waited for.
            if !owner::has_ended(self.shared.context()) {
                return;
            }
            let Some(cause) = self.shared.context().err() else {
                return;
            };
            self.state = State::Ended(Box::new(Ended::new(self.shared, cause)));
        }
        if let State::Ended(ended) = &mut self.state {
            ended.poll(self.shared, cx);
        }
    }

    /// Whether the grace is over: a body that waits for its aborted tasks may end by itself, and
    /// goes when they are gone.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.state, State::Ended(ended) if matches!(ended.grace, Grace::Over))
    }
}

impl Ended {
    fn new(shared: &Arc<Shared>, cause: Cancelled) -> Self {
        let _from_now_on = shared.since_end();
        reports::expect(shared);
        Self {
            cause,
            grace: shared
                .grace()
                .map_or(Grace::Unlimited, |grace| Grace::Running(after(grace))),
        }
    }

    fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Poller<'_>) {
        if reports::take_due(shared) {
            straggler::report(shared, &self.cause);
            reports::expect_next(shared);
        }
        if let Grace::Running(grace) = &mut self.grace {
            if grace.as_mut().poll(cx).is_ready() {
                self.grace = Grace::Over;
                shared.abort_all();
            }
        }
    }
}
