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
    waits: Waits,
    /// `None` if the parent never ends, or has ended.
    parents: Option<Pin<Box<Done<'a>>>>,
    /// After the end of the parent: why it ended, and how long the tasks still have.
    drain: Option<(Cancelled, Pin<Box<DoneOwned>>)>,
    /// Why the scope's own context has ended.
    cause: Option<Cancelled>,
    /// How long the tasks have after that; otherwise as long as it takes.
    grace: Option<Pin<Box<DoneOwned>>>,
    /// Every task has been aborted.
    is_over: bool,
}

enum Waits {
    /// The first wait only lets the tasks run that are ready now: most
    /// short scopes are done then, and never appear in a snapshot.
    Never,
    Once,
    /// In the tree, and waiting for the end of the context.
    Longer,
}

/// Ready then. A context's deadline rather than a runtime's timer: it needs no runtime, and
/// outlives the one that armed it.
fn after(time: Duration) -> Pin<Box<DoneOwned>> {
    Box::pin(Context::background().with_timeout(time).done_owned())
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, parent: &'a Context) -> Self {
        Self {
            shared,
            parent,
            waits: Waits::Never,
            parents: None,
            drain: None,
            cause: None,
            grace: None,
            is_over: false,
        }
    }

    /// To be called by each poll that has to wait, once its waker is in the ledger.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) {
        match self.waits {
            Waits::Never => {
                self.waits = Waits::Once;
                quietly(|| cx.waker().wake_by_ref());
                return;
            }
            Waits::Once => {
                self.waits = Waits::Longer;
                self.shared.start_clock();
                // What is in the background is shown with its scope.
                if !self.shared.is_background() {
                    self.shared.show_in_tree(self.parent);
                }
                let may_end = self.parent.can_be_cancelled();
                self.parents = may_end.then(|| Box::pin(self.parent.done()));
            }
            Waits::Longer => {}
        }
        if self.cause.is_none() {
            // The scope ends its own context as well, and then wakes us itself.
            self.poll_parents(cx);
            // A deadline of its own it has none, and the parent's was just waited for.
            if !owner::has_ended(self.shared.context()) {
                return;
            }
            (self.parents, self.drain) = (None, None);
            self.cause = self.shared.context().err();
            let _from_now_on = self.shared.since_end();
            reports::expect(self.shared);
            self.grace = self.shared.config().grace.map(after);
        }
        if let (Some(cause), true) = (&self.cause, reports::take_due(self.shared)) {
            straggler::report(self.shared, cause);
            reports::expect_next(self.shared);
        }
        if let Some(grace) = &mut self.grace {
            if grace.as_mut().poll(cx).is_ready() {
                self.grace = None;
                self.is_over = true;
                self.shared.abort_all();
            }
        }
    }

    fn poll_parents(&mut self, cx: &mut Poller<'_>) {
        if let Some(parents) = &mut self.parents {
            let Poll::Ready(cause) = parents.as_mut().poll(cx) else {
                return;
            };
            self.parents = None;
            let drain = self.shared.config().drain;
            self.drain = drain.map(|drain| (cause, after(drain)));
        }
        if let Some((cause, over)) = &mut self.drain {
            if over.as_mut().poll(cx).is_ready() {
                self.shared.close(cause.clone());
                self.drain = None;
            }
        }
    }

    /// Whether the grace is over: a body that waits for its aborted tasks may end by itself, and
    /// goes when they are gone.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }
}
