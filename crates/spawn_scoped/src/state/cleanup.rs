//! What runs after the last task of a scope has left: its deferred clean-up, last in first out.
//!
//! It runs in a task of its own, which holds a ticket of the scope around. So it goes on when the
//! scope's future is dropped meanwhile, and the scope around waits for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::Level;

use crate::data::cleanup::{CleanUp, CleanUpError, Running};
use crate::data::entry::{Entry, TaskKind, Who};
use crate::data::failure::{Payload, TaskFailure, panic_message};
use crate::data::text::Name;
use crate::foreign::{drop_quietly, text};
use crate::rt::{self, JoinHandle};
use crate::state::shared::{Shared, Ticket};
use crate::sync::catch;

/// How long all of the clean-up of a scope may take, unless set.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Starts the clean-up of a dropped scope when the last of its owners lets go.
pub(crate) struct CleanUpLater {
    scope: Arc<Shared>,
    /// Where it will run, and what it will find.
    around: Option<Ticket>,
    ctx: Context,
}

impl CleanUpLater {
    pub(crate) fn new(scope: &Arc<Shared>, around: Ticket, ctx: Context) -> Self {
        Self {
            scope: scope.clone(),
            around: Some(around),
            ctx,
        }
    }
}

impl Drop for CleanUpLater {
    fn drop(&mut self) {
        if let Some(around) = self.around.take() {
            let ctx = std::mem::take(&mut self.ctx);
            drop(start(&self.scope, around, ctx));
        }
    }
}

/// Starts the clean-up of `scope`, if there is any, in a task of the scope that `around` is a
/// ticket of. `ctx` is detached from what has ended.
pub(crate) fn start(scope: &Arc<Shared>, around: Ticket, ctx: Context) -> Option<JoinHandle<()>> {
    let waiting = scope.cold.lock().clean_ups.take_all();
    if waiting.is_empty() {
        // The values of the context go before the ticket does.
        drop(ctx);
        drop(around);
        return None;
    }
    let work = CleaningUp {
        left: Left {
            scope: scope.clone(),
            waiting,
        },
        running: None,
        ctx: ctx.with_timeout(scope.clean_up_time().unwrap_or(CLEAN_UP)),
        ticket: around,
    };
    if !rt::is_running() {
        // Dropping it says that it was lost.
        drop(work);
        return None;
    }
    let home = work.ticket.shared().clone();
    let who = Who {
        name: Some(Name::new("clean-up")),
        location: scope.location,
    };
    let handle = rt::spawn(work);
    let entry = Entry::new(
        handle.abort_handle(),
        who,
        TaskKind::Cooperative,
        home.time(),
    );
    home.ledger.write(|| entry);
    Some(handle)
}

/// What has not run yet. Dropped with something left, it says so.
struct Left {
    scope: Arc<Shared>,
    waiting: Vec<CleanUp>,
}

impl Drop for Left {
    fn drop(&mut self) {
        for lost in self.waiting.drain(..).rev() {
            self.scope.task_dropped(&lost.who, lost.isolated);
            drop_quietly(lost);
        }
    }
}

/// The one that runs now.
struct Now {
    who: Who,
    isolated: bool,
    future: Running,
}

pin_project! {
    /// In the order of its fields when dropped: the clean-up goes before the ticket does.
    struct CleaningUp {
        running: Option<Now>,
        left: Left,
        ctx: Context,
        ticket: Ticket,
    }

    impl PinnedDrop for CleaningUp {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(now) = this.running.take() {
                this.left.scope.task_dropped(&now.who, now.isolated);
                drop_quietly(now);
            }
        }
    }
}

impl Future for CleaningUp {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let this = self.project();
        loop {
            if this.running.is_none() {
                let Some(next) = this.left.waiting.pop() else {
                    return Poll::Ready(());
                };
                *this.running = Some(begin(next, this.ctx));
            }
            let Some(now) = this.running else {
                continue;
            };
            let mut ended = None;
            let caught = catch(|| match now.future.as_mut().poll(cx) {
                Poll::Ready(result) => ended = Some(result),
                Poll::Pending => {}
            });
            let outcome = match (caught, ended) {
                (Ok(()), None) => return Poll::Pending,
                (Ok(()), Some(result)) => Ok(result),
                (Err(payload), _) => Err(payload),
            };
            if let Some(now) = this.running.take() {
                drop_quietly(now.future);
                drop(this.left.scope.cleaned_up(&now.who, now.isolated, outcome));
            }
        }
    }
}

fn begin(clean_up: CleanUp, ctx: &Context) -> Now {
    Now {
        who: clean_up.who,
        isolated: clean_up.isolated,
        future: bounded(clean_up.begin, ctx.clone()),
    }
}

/// Runs until it ends, or its context does.
fn bounded(begin: Box<dyn FnOnce(Context) -> Running + Send>, ctx: Context) -> Running {
    Box::pin(async move {
        let begun = async {
            let future = begin(ctx.clone());
            future.await
        };
        match ctx.run(begun).await {
            Ok(result) => result,
            Err(over) => Err(CleanUpError::CutOff(over)),
        }
    })
}

/// Runs one clean-up at once, on the task that calls.
pub(crate) async fn run_now(
    scope: &Arc<Shared>,
    clean_up: CleanUp,
    ctx: &Context,
) -> Result<(), Cancelled> {
    let mut now = begin(clean_up, ctx);
    let outcome = poll_fn(|cx| match catch(|| now.future.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await;
    drop_quietly(now.future);
    scope.cleaned_up(&now.who, now.isolated, outcome)
}

impl Shared {
    /// Takes note of how a clean-up ended.
    fn cleaned_up(
        self: &Arc<Self>,
        who: &Who,
        isolated: bool,
        outcome: Result<Result<(), CleanUpError>, Payload>,
    ) -> Result<(), Cancelled> {
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CleanUpError::Linked(error))) => Err(self.clean_up_failed(who, error)),
            Ok(Err(CleanUpError::Isolated(text))) => {
                let failure = TaskFailure::new(who, Reason::TaskFailed, Some(text));
                failure.log(Level::WARN, self.name(), "a clean-up failed");
                Err(failure.cancelled())
            }
            Ok(Err(CleanUpError::CutOff(over))) => {
                let why = Some(text(|| over.to_string()));
                let failure = TaskFailure::new(who, Reason::TaskAborted, why);
                failure.log(Level::WARN, self.name(), "a clean-up was cut off");
                let cancelled = failure.cancelled();
                if !isolated {
                    self.cold.lock().failures.add_abort(&cancelled);
                }
                Err(cancelled)
            }
            Err(payload) if isolated => {
                let text = panic_message(&payload);
                drop_quietly(payload);
                let failure = TaskFailure::new(who, Reason::TaskPanicked, text);
                failure.log(Level::ERROR, self.name(), "a clean-up panicked");
                Err(failure.cancelled())
            }
            Err(payload) => Err(self.task_panicked(who, payload)),
        }
    }
}
