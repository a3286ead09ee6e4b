//! The protocol that keeps a cancel from hitting another query, for every server with sessions.
//!
//! A session is a connection and what the server keeps for it. Its cancel comes on another
//! connection, names the session and not the query, and may arrive at any time: it hits the query
//! that uses the session at that moment. The rules that follow, cited where they are kept:
//!
//! 1. After the end of its context no work is begun: not a byte is sent.
//! 2. One user for a session: work has `&mut`, and it takes the session out of the pool with it.
//! 3. When the context ends, the work is dropped, and then the session is made clean.
//! 4. A cancel counts only once the server has acted on it (a fence). Until then it could hit
//!    the next user.
//! 5. The connection of a cancel is not shut down for writing: pgbouncer takes that for a client
//!    that went away.
//! 6. A cancel that was begun is waited for: one at a time, each with a time limit of its own.
//! 7. Cancels are repeated until a ROLLBACK is answered: one may come too early, and a pipeline
//!    needs several. The first one is alone, and nothing is rolled back by a drop: pgbouncer
//!    before 1.21 dies of what is sent behind a query that is being cancelled (its #822).
//! 8. The last cancel may hit the ROLLBACK itself: then it is sent once more, with no cancel under
//!    way.
//! 9. When the grace is over, or a cancel fails, the session leaves the pool and is closed.
//! 10. A future that is dropped gets the same, in a task; what closes the session is made before
//!     the task, which a runtime that shuts down drops unpolled.
//! 11. What a cancel did is never concluded from an error of the server: `statement_timeout` gives
//!     the same one.
//! 12. A COMMIT is never cut. The caller learns how it ended, or that this is unknown.
//! 13. Work whose driver does not survive a drop is not dropped but waited for: that is
//!     [`Interrupt::run`], and no driver of this crate is one of those.
//! 14. After work that can make the driver lose count of the server's answers, the session is asked
//!     for a number, and made clean (rule 3) when something else comes.

#[cfg(test)]
mod tests;

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use spawn_scoped::scope;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_ctx_core::interrupt::Interrupt;
use tokio_ctx_core::owner::in_flight;
use tokio_ctx_core::{Cancelled, Context};

use crate::counts::{Counters, add};
use crate::error::Error;
use crate::settings::{Settings, Turnstile};

/// How long a ROLLBACK may take before something in its way is cancelled once more.
const PAUSE: Duration = Duration::from_millis(50);

/// A session, with its place in the pool.
pub(crate) trait Session: Answers + Sized + 'static {
    type Transaction<'a>: Transaction;

    /// What a live view calls a query of it.
    const NAME: &'static str;

    /// Ends whatever transaction there is. A session without one is left as it is.
    fn rollback(&mut self) -> impl Future<Output = Rollback> + Send;

    /// Takes the session out of its pool and closes it.
    fn close(self);

    fn begin(&mut self) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// Whether a driver still knows which answer is for which query (rule 14).
pub(crate) trait Answers: Send {
    /// Whether the work may have made the driver lose count of the server's answers.
    fn may_be_out_of_step(&self) -> bool {
        false
    }

    /// Whether the answer to a query is its own. Also `false` in a transaction that has failed.
    fn is_in_step(&mut self) -> impl Future<Output = bool> + Send {
        async { true }
    }
}

/// A transaction of a driver.
pub(crate) trait Transaction: Answers {
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;

    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What the server said to a ROLLBACK, with the error where there was one.
#[derive(Clone)]
pub(crate) enum Rollback {
    Done,
    /// It was answered with [`QUERY_CANCELED`]: a cancel hit it.
    Hit(String),
    /// There was no answer, or that of something else. Nothing is sent behind it: pgbouncer before
    /// 1.21 gives a session to its next user at the first answer that comes, and that user then gets
    /// the second.
    Broken(String),
}

/// What sends the cancels of one session.
pub(crate) trait Cancel: Clone + Send + Sync + 'static {
    /// Ready once the server has acted (rule 4).
    fn cancel(&self) -> impl Future<Output = Sent> + Send;
}

/// What became of a cancel.
pub(crate) enum Sent {
    /// The server has acted on it.
    Fenced,
    /// There was no way to the server: nothing can arrive.
    Unsent,
    /// It may still arrive, or the server does not want it.
    Unfenced(String),
}

/// What the sessions of one pool have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) settings: Settings,
    pub(crate) turnstile: Turnstile,
    pub(crate) counters: Counters,
}

/// The SQLSTATE of a query that a cancel has hit, and the only error that answers a ROLLBACK.
pub(crate) const QUERY_CANCELED: &str = "57014";

/// The number of the next ROLLBACK: with its answer comes this number, so that an answer of something
/// else, where a driver has lost count of its answers, is not taken for it.
pub(crate) fn number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A ROLLBACK whose answer is not its own.
pub(crate) fn out_of_step() -> Rollback {
    Rollback::Broken("the driver has lost count of the server's answers".to_owned())
}

impl Common {
    pub(crate) fn new(settings: Settings) -> Common {
        Common {
            turnstile: Turnstile::new(&settings),
            settings,
            counters: Counters::default(),
        }
    }
}

/// A session that is lent to one user, and never goes back to the pool while it is not clean.
pub(crate) struct Lease<S: Session, C: Cancel> {
    state: State<S>,
    cancel: C,
    common: Arc<Common>,
    /// The runtime that its connection lives in: the clean-up runs there.
    runtime: Handle,
    /// Whose scope waits for the clean-up.
    ctx: Context,
}

enum State<S> {
    Here(S, Phase),
    /// A task makes it clean, and gives it back here.
    Cleaning(oneshot::Receiver<S>),
    Closed,
}

/// What is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Working,
    Committing,
}

impl<S: Session, C: Cancel> Lease<S, C> {
    pub(crate) fn new(session: S, cancel: C, common: Arc<Common>, runtime: Handle) -> Lease<S, C> {
        let state = State::Here(session, Phase::Idle);
        Lease {
            state,
            cancel,
            common,
            runtime,
            ctx: Context::background(),
        }
    }

    /// Whether there is no session any more.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Runs `work` on the session until it has ended, or until `ctx` has.
    pub(crate) async fn under<T>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut S) -> T,
    ) -> Result<T, Error> {
        let (session, phase) = self.begin(ctx).await?;
        let _shown = in_flight::enter("query", ctx, |label| label.push_str(S::NAME));
        match ctx.run(work(session)).await {
            // Rule 14.
            Ok(output) if session.may_be_out_of_step() => {
                if let Ok(true) = ctx.run(session.is_in_step()).await {
                    *phase = Phase::Idle;
                } else {
                    self.clean();
                }
                Ok(output)
            }
            Ok(output) => {
                *phase = Phase::Idle;
                Ok(output)
            }
            Err(why) => Err(self.stop(why).await),
        }
    }

    /// Runs `work` in a transaction, which is committed if `work` is `Ok`.
    pub(crate) async fn transaction<T, E>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut S::Transaction<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        let grace = self.common.settings.grace;
        let (session, phase) = self.begin(ctx).await?;
        let _shown = in_flight::enter("query", ctx, |label| {
            label.push_str(S::NAME);
            label.push_str(", a transaction");
        });
        match transaction(ctx, session, phase, grace, work).await {
            End::Answered(result) => {
                *phase = Phase::Idle;
                result
            }
            End::Cut(why) => Err(self.stop(why).await),
            End::OutOfStep(error) => {
                self.make_clean().await;
                Ok(Err(error))
            }
            End::Failed(error) => {
                self.clean();
                Err(error)
            }
            End::Unanswered(why) => Err(self.give_up(why)),
        }
    }

    /// The session, for work that begins now.
    async fn begin(&mut self, ctx: &Context) -> Result<(&mut S, &mut Phase), Error> {
        // Rule 1.
        ctx.check()?;
        self.ctx.clone_from(ctx);
        // An earlier future was dropped, and the lease kept.
        if !matches!(self.state, State::Here(_, Phase::Idle)) {
            self.clean();
        }
        if let State::Cleaning(back) = &mut self.state {
            // Cancel safe: a receiver that is polled again goes on.
            let back = ctx.run(back).await?;
            self.state = back.map_or(State::Closed, |session| State::Here(session, Phase::Idle));
        }
        match &mut self.state {
            State::Here(session, phase) => {
                *phase = Phase::Working;
                Ok((session, phase))
            }
            _ => Err(Error::closed()),
        }
    }

    /// Makes the session clean, and waits for it (rule 3): when the caller is answered, its work
    /// has stopped.
    async fn stop(&mut self, why: Cancelled) -> Error {
        self.make_clean().await;
        why.into()
    }

    async fn make_clean(&mut self) {
        self.clean();
        if let State::Cleaning(back) = &mut self.state {
            let back = back.await;
            self.state = back.map_or(State::Closed, |session| State::Here(session, Phase::Idle));
        }
    }

    /// Begins to make the session clean, in a task: it goes on if this future is dropped.
    fn clean(&mut self) {
        let (session, phase) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Here(session, phase) => (session, phase),
            state => {
                self.state = state;
                return;
            }
        };
        add(&self.common.counters.cuts);
        // Rule 10: made before the task is.
        let doomed = Doomed(Some(session), Arc::clone(&self.common));
        let (give, back) = oneshot::channel();
        let cancel = self.cancel.clone();
        self.state = State::Cleaning(back);
        let clean_up = async move {
            let nobody = Context::background();
            let _shown = in_flight::enter("interrupt", &nobody, |label| label.push_str(S::NAME));
            if let Some(session) = clean(doomed, cancel, phase).await {
                // If nothing waits for it, it goes back to its pool.
                let _ = give.send(session);
            }
        };
        hand_over(&self.ctx, &self.runtime, clean_up);
    }

    /// Closes a session whose COMMIT was not answered: the server finishes it or not.
    fn give_up(&mut self, why: Cancelled) -> Error {
        if let State::Here(session, _) = std::mem::replace(&mut self.state, State::Closed) {
            add(&self.common.counters.cuts);
            add(&self.common.counters.lost_to_grace);
            session.close();
        }
        Error::commit_unknown(why)
    }
}

/// How a transaction ended.
enum End<T, E> {
    /// Committed or rolled back, or its COMMIT failed: the session is clean.
    Answered(Result<Result<T, E>, Error>),
    Cut(Cancelled),
    /// The work failed, and whether a ROLLBACK would get its own answer is not known.
    OutOfStep(E),
    /// It could not be begun, or not be rolled back.
    Failed(Error),
    /// Its COMMIT was sent, and not answered in time.
    Unanswered(Cancelled),
}

async fn transaction<S: Session, T, E>(
    ctx: &Context,
    session: &mut S,
    phase: &mut Phase,
    grace: Duration,
    work: impl AsyncFnOnce(&mut S::Transaction<'_>) -> Result<T, E>,
) -> End<T, E> {
    let worked = ctx.run(async {
        let mut transaction = session.begin().await?;
        let worked = work(&mut transaction).await;
        // Rule 14.
        let is_doubtful = transaction.may_be_out_of_step();
        match worked {
            Ok(_) if is_doubtful && !transaction.is_in_step().await => Err(Error::database(
                "the transaction has failed, or its answers are not those of its queries",
            )),
            Ok(output) => Ok(Ok((transaction, output))),
            Err(error) if is_doubtful => Ok(Err(End::OutOfStep(error))),
            Err(error) => {
                transaction.rollback().await?;
                Ok(Err(End::Answered(Ok(Err(error)))))
            }
        }
    });
    let (transaction, output) = match worked.await {
        Ok(Ok(Ok(worked))) => worked,
        Ok(Ok(Err(end))) => return end,
        Ok(Err(error)) => return End::Failed(error),
        Err(why) => return End::Cut(why),
    };
    if let Err(why) = ctx.check() {
        return End::Cut(why);
    }
    // Rule 12: from here on nothing cuts it, not even a drop of this future.
    *phase = Phase::Committing;
    let mut commit = pin!(transaction.commit());
    let committed = match ctx.run(commit.as_mut()).await {
        Ok(committed) => committed,
        Err(why) => {
            let rest = ctx.without_cancel().with_timeout(grace);
            match rest.run(commit).await {
                Ok(committed) => committed,
                Err(_) => return End::Unanswered(why),
            }
        }
    };
    End::Answered(committed.map(|()| Ok(output)))
}

impl<S: Session, C: Cancel> Drop for Lease<S, C> {
    fn drop(&mut self) {
        if let State::Here(_, Phase::Working | Phase::Committing) = self.state {
            self.clean();
        }
    }
}

/// Starts `task` on `runtime`, for the scope around `ctx` to wait for: it must not end before what
/// was begun in it. Without one, the root of all scopes has it.
fn hand_over(ctx: &Context, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    let _inside = runtime.enter();
    // A scope that is dropped gives its tasks to the one around it.
    let ctx = ctx.without_cancel();
    let handed = scope(&ctx, async |s| {
        s.task().name("clean-up of a connection").spawn(|_| task);
        pending::<Result<(), Cancelled>>().await
    });
    let _ = pin!(handed).poll(&mut TaskContext::from_waker(Waker::noop()));
}

/// Closes its session when it is dropped.
struct Doomed<S: Session>(Option<S>, Arc<Common>);

impl<S: Session> Drop for Doomed<S> {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            add(&self.1.counters.lost_to_shutdown);
            session.close();
        }
    }
}

/// Cancels what is under way until a ROLLBACK is answered (rule 7). `None` for a session that had
/// to be closed (rule 9).
async fn clean<S: Session, C: Cancel>(mut doomed: Doomed<S>, cancel: C, phase: Phase) -> Option<S> {
    let common = Arc::clone(&doomed.1);
    let Settings { grace, attempt, .. } = common.settings;
    let session = doomed.0.as_mut()?;
    let rest = Context::background().with_timeout(grace);
    let ended = if phase == Phase::Committing {
        // Rule 12: the ROLLBACK waits for the COMMIT's answer, and nothing is cancelled.
        rest.run(session.rollback()).await.map_err(|_| Lost::Grace)
    } else {
        // The first cancel is alone: nothing is sent behind the work that it is to hit.
        match rest.run(one_cancel(&common, &cancel, attempt)).await {
            Ok(Ok(())) => {
                let again = || one_cancel(&common, &cancel, attempt);
                rollback(&rest, session, Interrupt::new(again)).await
            }
            Ok(Err(error)) => Err(Lost::Cancel(error)),
            Err(_) => Err(Lost::Grace),
        }
    };
    let ended = match ended {
        // Rules 8 and 11: whatever the error was, no cancel is under way now.
        Ok(Rollback::Hit(_)) => rest.run(session.rollback()).await.map_err(|_| Lost::Grace),
        ended => ended,
    };
    let lost = match ended {
        Ok(Rollback::Done) => {
            add(&common.counters.cleaned);
            return doomed.0.take();
        }
        Ok(Rollback::Hit(error) | Rollback::Broken(error)) => Lost::Server(error),
        Err(lost) => lost,
    };
    let session = doomed.0.take()?;
    match lost {
        Lost::Server(error) => {
            add(&common.counters.lost_to_server);
            tracing::warn!(error, "a connection was found broken, and is closed");
        }
        Lost::Grace => {
            add(&common.counters.lost_to_grace);
            tracing::warn!(
                ?grace,
                "a connection did not get clean in time, and is closed"
            );
        }
        Lost::Cancel(error) => {
            add(&common.counters.lost_to_cancel);
            tracing::warn!(
                ?error,
                "a query could not be cancelled, and its connection is closed"
            );
        }
    }
    session.close();
    None
}

/// Sends a ROLLBACK, and cancels what is still in its way after a pause (rule 7).
async fn rollback<S: Session, I: Future<Output = Result<(), String>>>(
    ctx: &Context,
    session: &mut S,
    again: Interrupt<impl FnMut() -> I>,
) -> Result<Rollback, Lost> {
    let mut rollback = pin!(session.rollback());
    if let Ok(answer) = ctx.with_timeout(PAUSE).run(rollback.as_mut()).await {
        return Ok(answer);
    }
    let grace = ctx.remaining().unwrap_or_default();
    let ended = again.grace(grace).every(PAUSE).until(rollback).await;
    ended.map_err(|left| left.refused.map_or(Lost::Grace, Lost::Cancel))
}

/// Why a session had to be closed.
enum Lost {
    Server(String),
    Grace,
    Cancel(String),
}

/// One cancel, in its turn, within its time limit (rule 6).
async fn one_cancel<C: Cancel>(
    common: &Common,
    cancel: &C,
    attempt: Duration,
) -> Result<(), String> {
    let _turn = common.turnstile.enter().await;
    let limited = Context::background().with_timeout(attempt);
    match limited.run(cancel.cancel()).await {
        Ok(Sent::Fenced) => {
            add(&common.counters.cancels);
            Ok(())
        }
        Ok(Sent::Unsent) => Ok(()),
        Ok(Sent::Unfenced(error)) => Err(error),
        Err(_) => Err(format!("the server did not act on it within {attempt:?}")),
    }
}
