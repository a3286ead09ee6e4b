//! What runs after the last task of a scope has left: its deferred clean-up, last in first out.
//!
//! It runs in a task of its own, which holds a ticket of the scope around. So it goes on when the
//! scope's future is dropped meanwhile, and the scope around waits for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::Level;

use crate::data::cleanup::{CleanUp, CleanUpError, Running};
use crate::data::entry::{Entry, TaskKind, Who};
use crate::data::failure::{Payload, TaskFailure, panic_message};
use crate::data::text::Name;
use crate::foreign::{Quietly, drop_quietly, text};
use crate::rt::{self, JoinHandle};
use crate::state::shared::{Shared, Ticket};
use crate::sync::catch;

/// How long all of the clean-up of a scope may take, unless set.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Starts the clean-up of `scope`, if there is any, in a task of the scope that `around` is a
/// ticket of. `ctx` is detached from what has ended.
pub(crate) fn start(scope: &Arc<Shared>, around: Ticket, ctx: Context) -> Option<JoinHandle<()>> {
    let waiting = scope.cold.lock().clean_ups.take_all();
    if waiting.is_empty() {
        return None;
    }
    let work = CleaningUp {
        scope: scope.clone(),
        waiting,
        running: None,
        ctx: ctx.with_timeout(scope.config().clean_up.unwrap_or(CLEAN_UP)),
        ticket: around,
    };
    if !rt::is_running() {
        // Dropping it says that it was lost.
        return None;
    }
    let home = work.ticket.shared().clone();
    let who = Who {
        name: Some(Name::new("clean-up")),
        location: scope.location,
    };
    let handle = JoinHandle::Task(rt::spawn(run(work)));
    let entry = || Entry::new(&handle, who, TaskKind::Cooperative, home.time());
    home.ledger.write(entry);
    Some(handle)
}

/// What has not ended yet. Dropped with something left, it says so. In the order of its fields
/// when dropped: the values of the context go before the ticket does.
struct CleaningUp {
    scope: Arc<Shared>,
    waiting: Vec<CleanUp>,
    running: Option<(Who, bool)>,
    ctx: Context,
    ticket: Ticket,
}

impl Drop for CleaningUp {
    fn drop(&mut self) {
        if let Some((who, isolated)) = self.running.take() {
            self.scope.task_dropped(&who, isolated);
        }
        for lost in self.waiting.drain(..).rev() {
            self.scope.task_dropped(&lost.who, lost.isolated);
            drop_quietly(lost);
        }
    }
}

async fn run(mut work: CleaningUp) {
    while let Some(next) = work.waiting.pop() {
        work.running = Some((next.who.clone(), next.isolated));
        let ended = run_now(&work.scope, next, &work.ctx).await;
        work.running = None;
        drop(ended);
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

/// Runs one clean-up, on the task that calls.
pub(crate) async fn run_now(
    scope: &Arc<Shared>,
    CleanUp {
        who,
        isolated,
        begin,
    }: CleanUp,
    ctx: &Context,
) -> Result<(), Cancelled> {
    let mut running = Quietly(Some(bounded(begin, ctx.clone())));
    let outcome = poll_fn(|cx| {
        let Some(future) = &mut running.0 else {
            return Poll::Pending;
        };
        match catch(|| future.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    })
    .await;
    drop(running);
    scope.cleaned_up(&who, isolated, outcome)
}

impl Shared {
    /// Takes note of how a clean-up ended.
    fn cleaned_up(
        self: &Arc<Self>,
        who: &Who,
        isolated: bool,
        outcome: Result<Result<(), CleanUpError>, Payload>,
    ) -> Result<(), Cancelled> {
        let (reason, why, level, what) = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(CleanUpError::Linked(error))) => return Err(self.clean_up_failed(who, error)),
            Err(payload) if !isolated => return Err(self.task_panicked(who, payload)),
            Ok(Err(CleanUpError::Isolated(text))) => {
                (Reason::TaskFailed, Some(text), Level::WARN, "failed")
            }
            Ok(Err(CleanUpError::CutOff(over))) => {
                let why = Some(text(|| over.to_string()));
                (Reason::TaskAborted, why, Level::WARN, "was cut off")
            }
            Err(payload) => {
                let text = panic_message(&payload);
                drop_quietly(payload);
                (Reason::TaskPanicked, text, Level::ERROR, "panicked")
            }
        };
        let failure = TaskFailure::new(who, reason, why);
        failure.log(level, self.name(), &format!("a clean-up {what}"));
        let cancelled = failure.cancelled();
        if reason == Reason::TaskAborted && !isolated {
            self.cold.lock().failures.add_abort(&cancelled);
        }
        Err(cancelled)
    }
}
