//! The life of a scope, from its first poll to its result or its drop.

use std::any::Any;
use std::future::poll_fn;
use std::mem::discriminant;
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use tokio_ctx_core::owner::in_flight;
use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use crate::data::config::{Config, Describe};
use crate::data::entry::{Place, Who};
use crate::data::failure::{ErasedError, TaskFailure, message, well_known_to_say_cancelled};
use crate::face::scope::Scope;
use crate::face::spawner::Spawner;
use crate::foreign::{OnDrop, drop_quietly, log};
use crate::state::adopt::{adopter, give_to};
use crate::state::cleanup;
use crate::state::failures::{Outcome, Verdict};
use crate::state::shared::{Shared, Ticket};
use crate::sync::{Slots, catch};
use crate::watch::reports::report_and_abort;
use crate::watch::waiting::Watch;

/// Runs `body` with a [`Scope`] to spawn tasks in, and returns when the body and every task
/// of it are finished: future, captures and context of each are dropped by then.
///
/// The tasks get contexts under `ctx`: when it ends, they are asked to stop.
/// The first error, of a task or of the body, becomes the result and asks the others to stop,
/// with that failure as their cause; later errors are counted and kept, see
/// [`ScopeOptions::run_reported`](crate::ScopeOptions::run_reported).
///
/// # Errors
///
/// * The first error of a task or of the body.
/// * `E::from(Cancelled)` when a task did not run to its end and nothing else went wrong: it
///   was stopped by the end of `ctx`, or dropped by its runtime
///   ([`TaskLost`](tokio_ctx_core::Reason::TaskLost)), or aborted after the grace
///   ([`TaskAborted`](tokio_ctx_core::Reason::TaskAborted)).
///
/// After the scope was cancelled by its owner ([`Scope::cancel`]), the body's result is the
/// scope's whatever the tasks return.
///
/// # Panics
///
/// A panic of a task or of the body asks the others to stop, is joined like anything else, and
/// is then resumed here with its payload.
///
/// # Cancel safety
///
/// When the future is dropped half-way, the body is dropped at once and the scope's context
/// ends with reason [`ScopeDropped`](tokio_ctx_core::Reason::ScopeDropped).
/// The unfinished tasks are handed to the scope around, which waits for them in its turn;
/// without one, to the process-wide [`root`](crate::root()).
/// Nothing blocks, nothing is aborted, no task is detached.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// async fn count(ctx: &Context, table: &str) -> Result<u64, Cancelled> {
///     ctx.check()?;
///     Ok(table.len() as u64)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// let ctx = Context::background();
/// let total = scope(&ctx, async |s| {
///     let users = s.spawn(async |ctx| count(&ctx, "users").await);
///     let orders = s.spawn(async |ctx| count(&ctx, "orders").await);
///     Ok(users.await? + orders.await?)
/// })
/// .await?;
/// assert_eq!(total, 11);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn scope<T, E, F, Fut>(ctx: &Context, body: F) -> impl Future<Output = Result<T, E>>
where
    F: FnOnce(Scope<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<Cancelled> + Send + 'static,
{
    run(ctx, None, Location::caller(), body, None)
}

/// The errors that came after the one that decided a scope, if they were asked for.
pub(crate) struct Late<E> {
    pub(crate) errors: Vec<(E, TaskFailure)>,
    pub(crate) num: usize,
}

/// Runs a scope. The locals are in the order of their drop, last to first:
/// when this future is dropped half-way, the body goes, then the body's
/// ticket, and then the rest is handed over.
pub(crate) async fn run<T, E, F, Fut>(
    parent: &Context,
    config: Option<Arc<Config>>,
    location: Place,
    body: F,
    late: Option<&mut Late<E>>,
) -> Result<T, E>
where
    F: FnOnce(Scope<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<Cancelled> + Send + 'static,
{
    let slots = config
        .as_ref()
        .and_then(|config| config.limit)
        .map(|limit| Box::new(Slots::new(limit)));
    let drains = config.as_ref().is_some_and(|config| config.drain.is_some());
    let shield = drains.then(|| parent.without_cancel());
    let above = shield.as_ref().unwrap_or(parent);
    let shared = &Shared::open(above, location, config, slots, says_cancelled::<E>);
    let values = owner::with_values_of(&shared.lifetime, parent);
    let intake = drains.then(|| parent.merge(shared.context()));
    let scope = Scope::new(Spawner::new(shared.clone(), values, intake));
    let mut unjoined = OnDrop(Some(|| hand_over(shared, parent)));
    let mut ticket = Some(Ticket::owed(shared));
    let mut watch = Watch::new(shared, parent);

    let value = run_body(shared, scope, &mut ticket, &mut watch, body).await;
    drop(ticket);
    join(shared, watch).await;
    if let Some(background) = shared.close_background() {
        join(&background, Watch::new(&background, parent)).await;
    }
    unjoined.0 = None;
    if shared.has_waited() {
        shared.leave_tree(parent);
    }
    show_end(shared);
    let finished = owner::cancelled(Reason::ScopeFinished, location, None);
    owner::finish(&shared.lifetime, finished);
    let cold = shared.cold.lock_if_touched();
    if cold.is_some_and(|cold| !cold.clean_ups.is_empty()) {
        clean_up(shared, parent).await;
    }
    settle(shared, value, late)
}

/// Shows a live view, where there is one, that the scope did not end by itself.
fn show_end(shared: &Shared) {
    // At its own end there is nothing to show.
    if !in_flight::is_observed() || !owner::has_ended(shared.context()) {
        return;
    }
    if let Some(why) = shared.context().err() {
        let name = || shared.name().unwrap_or_default().to_owned();
        in_flight::ended("scope", &why, shared.location, None, name);
    }
}

/// Polls the body to its end, its panic, or the end of its grace. Its value, if it has one.
async fn run_body<T, E, F, Fut>(
    shared: &Arc<Shared>,
    scope: Scope<E>,
    ticket: &mut Option<Ticket>,
    watch: &mut Watch<'_>,
    body: F,
) -> Option<T>
where
    F: FnOnce(Scope<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<Cancelled> + Send + 'static,
{
    let future = match catch(|| body(scope)) {
        Ok(future) => future,
        Err(payload) => {
            shared.body_panicked(payload);
            return None;
        }
    };
    let mut future = pin!(Some(future));
    let polled = poll_fn(|cx| {
        let Some(body) = future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if shared.is_ended_by_failure() {
            return Poll::Ready(Ok(None));
        }
        match catch(|| body.poll(cx)) {
            Ok(Poll::Ready(result)) => return Poll::Ready(Ok(Some(result))),
            Err(payload) => return Poll::Ready(Err(payload)),
            Ok(Poll::Pending) => {}
        }
        let gone = wait(shared, ticket, watch, cx);
        // Asked once the end of the context would wake us, and so for the last time.
        if shared.is_ended_by_failure() {
            return Poll::Ready(Ok(None));
        }
        gone.map(|()| {
            let failure = TaskFailure::new(&shared.body(), Reason::TaskAborted, None);
            shared.cold.lock().failures.add_abort(&failure.cancelled());
            Ok(None)
        })
    })
    .await;
    // The body's locals go before its ticket does, and their drop may panic.
    let dropped = catch(|| future.set(None));
    let mut value = None;
    match polled {
        Ok(Some(Ok(done))) => value = Some(done),
        Ok(Some(Err(error))) => shared.body_failed(Box::new(error)),
        Ok(None) => {}
        Err(payload) => shared.body_panicked(payload),
    }
    if let Err(payload) = dropped {
        shared.body_panicked(payload);
    }
    value
}

/// What a body that waits does besides. Ready when it has to go: the grace is over, and all the
/// tasks are gone.
fn wait(
    shared: &Arc<Shared>,
    ticket: &mut Option<Ticket>,
    watch: &mut Watch<'_>,
    cx: &mut Poller<'_>,
) -> Poll<()> {
    let polled = shared.ledger.poll_empty(cx.waker());
    watch.poll(cx);
    if polled.is_pending() && watch.is_over() && ticket.is_some() {
        // From now on the ledger tells when the aborted tasks are gone.
        *ticket = None;
        return shared.ledger.poll_empty(cx.waker());
    }
    polled
}

/// Whether `error` only says "cancelled": it has a [`Cancelled`] inside, as far as its type tells,
/// or the text of one in its text. Any other type is compared with the error that the application
/// makes of a [`Cancelled`]: by the variant of an enum, and by the text that `describe` makes.
fn says_cancelled<E: From<Cancelled> + Send + 'static>(
    error: &(dyn Any + Send),
    ended: &Cancelled,
    describe: Option<&Describe>,
) -> bool {
    let known = well_known_to_say_cancelled(error);
    if known == Some(true) {
        return true;
    }
    let text = message(error, describe);
    if matches!(&text, Some(text) if text.contains(&ended.to_string())) {
        return true;
    }
    if let Some(known) = known {
        return known;
    }
    let made_of = E::from(ended.clone());
    let is_alike = error.downcast_ref().map(discriminant) == Some(discriminant(&made_of));
    is_alike && message(&made_of, describe) == text
}

/// Waits until the last one has left `ledger_of`, aborting after the grace.
async fn join(ledger_of: &Arc<Shared>, mut watch: Watch<'_>) {
    let ledger = &ledger_of.ledger;
    poll_fn(|cx| {
        if ledger.poll_empty(cx.waker()).is_ready() {
            return Poll::Ready(());
        }
        // What the grace aborts is still waited for.
        watch.poll(cx);
        Poll::Pending
    })
    .await;
    drop(ledger.take_entries());
}

/// Runs what was deferred, and waits for it. Dropped meanwhile, it goes on in the scope around.
async fn clean_up(shared: &Arc<Shared>, parent: &Context) {
    let around = adopter(parent);
    if let Some(mut cleaning) = cleanup::start(shared, around, parent.without_cancel()) {
        let mut dropped = OnDrop(Some(|| shared.cold.lock().failures.orphaned = true));
        poll_fn(|cx| cleaning.poll_joined(cx).map(drop)).await;
        dropped.0 = None;
    }
}

/// Everybody has left: the result.
fn settle<T, E>(shared: &Arc<Shared>, value: Option<T>, late: Option<&mut Late<E>>) -> Result<T, E>
where
    E: From<Cancelled> + Send + 'static,
{
    match (shared.cold.lock_if_touched(), value) {
        (None, Some(value)) => Ok(value),
        (Some(mut cold), value) => {
            let verdict = cold.failures.verdict();
            drop(cold);
            judge(shared, verdict, value, late)
        }
        (None, None) => unreachable!("a body without a value, an error, a loss or a panic"),
    }
}

/// The result of a scope in which something went wrong.
#[cold]
fn judge<T, E>(
    shared: &Shared,
    verdict: Verdict,
    value: Option<T>,
    late: Option<&mut Late<E>>,
) -> Result<T, E>
where
    E: From<Cancelled> + Send + 'static,
{
    let result = match (verdict.result, value) {
        (Outcome::Panic(payload, unseen), value) => {
            drop_quietly((value, unseen, verdict.late));
            resume_unwind(payload);
        }
        (Outcome::Value, Some(value)) => Ok(value),
        (Outcome::Error(error), value) => {
            drop_quietly(value);
            Err(typed(error))
        }
        (Outcome::Loss(cancelled), value) => {
            drop_quietly(value);
            Err(E::from(cancelled))
        }
        (Outcome::Value, None) => {
            unreachable!("a body is overruled by an error, a loss or a panic")
        }
    };
    if verdict.num_late > 0 {
        log(|| {
            tracing::info!(
                scope = shared.name(),
                opened_at = %shared.location,
                late = verdict.num_late,
                "errors came after the one that decided the scope",
            );
        });
    }
    match late {
        Some(late) => {
            let failure = |who: Who| TaskFailure::new(&who, Reason::TaskFailed, None);
            let errors = verdict.late.into_iter();
            late.errors = errors
                .map(|(error, who)| (typed(error), failure(who)))
                .collect();
            late.num = verdict.num_late;
        }
        None => drop_quietly(verdict.late),
    }
    result
}

/// An error with its type back.
fn typed<E: 'static>(error: ErasedError) -> E {
    match error.downcast::<E>() {
        Ok(error) => *error,
        Err(_) => unreachable!("what runs in a scope fails with its error type"),
    }
}

/// Hands the unfinished tasks to the scope around when the future is dropped
/// before they are joined. Blocks nothing and aborts nothing.
#[cold]
fn hand_over(shared: &Arc<Shared>, parent: &Context) {
    shared.cold.lock().failures.orphaned = true;
    shared.close(owner::cancelled(
        Reason::ScopeDropped,
        shared.location,
        None,
    ));
    if shared.has_waited() {
        shared.leave_tree(parent);
    }
    let (scope, around, ctx) = (shared.clone(), adopter(parent), parent.without_cancel());
    // Starts when the last of its owners lets go.
    let clean_up = OnDrop(Some(move || drop(cleanup::start(&scope, around, ctx))));
    let clean_up: Arc<dyn Any + Send + Sync> = Arc::new(clean_up);
    let background = shared.close_background();
    for ledger_of in background.iter().chain([shared]) {
        if ledger_of.ledger.is_empty() {
            continue;
        }
        ledger_of.cold.lock().after = Some(clean_up.clone());
        give_to(adopter(parent), ledger_of);
        report_and_abort(ledger_of);
        if ledger_of.ledger.is_empty() {
            // The last one may have left before, and found nothing to let go of.
            ledger_of.end_adoption();
        }
    }
}
