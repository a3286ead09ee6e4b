//! Clean-up that runs when a scope ends: `defer`, and its handle [`Deferred`].

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};

use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use crate::data::cleanup::{CleanUp, CleanUpError};
use crate::data::entry::{Place, Who};
use crate::data::text::one_line;
use crate::face::scope::Scope;
use crate::face::spawner::Spawner;
use crate::foreign::{log, whole};
use crate::state::cleanup::run_now;
use crate::state::shared::{Shared, Ticket};
use crate::task::output::{IsolatedOutput, Spawns, TaskOutput};

/// A clean-up that was deferred to the end of its scope; from [`Scope::defer`].
///
/// Dropping it changes nothing: the clean-up runs at the end of the scope.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let unlock = s.defer(async |_ctx| Ok(()));
///     unlock.run_now(s.context()).await?; // at once, and not again at the end
///     let flush = s.defer(async |_ctx| unreachable!("it was taken back"));
///     assert!(flush.stop());
///     Ok::<_, Cancelled>(())
/// })
/// .await
/// # }
/// ```
pub struct Deferred(State);

enum State {
    /// It waits in the scope, under a number.
    Waiting(Weak<Shared>, u64),
    /// The scope was over already.
    Refused(Arc<Shared>, Option<CleanUp>),
}

impl Deferred {
    fn new(shared: &Arc<Shared>, clean_up: CleanUp) -> Self {
        // The ticket keeps the scope from ending meanwhile.
        match Ticket::enter(shared) {
            Some(_ticket) => {
                let id = shared.cold.lock().clean_ups.add(clean_up);
                Self(State::Waiting(Arc::downgrade(shared), id))
            }
            None => Self(State::Refused(shared.clone(), Some(clean_up))),
        }
    }

    /// Whether the scope was over already, so that the clean-up runs only by
    /// [`run_now`](Self::run_now).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let ctx = Context::background();
    /// let escaped = scope(&ctx, async |s| Ok::<_, Cancelled>(s.clone())).await?;
    /// let late = escaped.defer(async |_ctx| Ok(()));
    /// assert!(late.is_refused());
    /// late.run_now(&ctx).await
    /// # }
    /// ```
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.0, State::Refused(..))
    }

    fn take(&mut self) -> Option<(Arc<Shared>, CleanUp)> {
        match &mut self.0 {
            State::Waiting(shared, id) => {
                let shared = shared.upgrade()?;
                let clean_up = shared.cold.lock().clean_ups.take(*id)?;
                Some((shared, clean_up))
            }
            State::Refused(shared, clean_up) => Some((shared.clone(), clean_up.take()?)),
        }
    }

    /// Takes the clean-up back, unrun. Says whether that prevented it: `false` once it has begun.
    ///
    /// # Examples
    ///
    /// See [`Deferred`].
    pub fn stop(mut self) -> bool {
        self.take().is_some()
    }

    /// Runs the clean-up now, under `ctx`, and not at the end of the scope.
    ///
    /// Its error is the scope's if nothing else failed, as it is at the end.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] when the clean-up failed, panicked or was cut off by the end of `ctx`, with a
    /// [`TaskFailure`](crate::TaskFailure) as cause; with reason
    /// [`ScopeFinished`](Reason::ScopeFinished) when the scope has begun it already.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, the clean-up is dropped half-way, and does not run again.
    ///
    /// # Examples
    ///
    /// See [`Deferred`].
    pub async fn run_now(mut self, ctx: &Context) -> Result<(), Cancelled> {
        match self.take() {
            Some((shared, clean_up)) => run_now(&shared, clean_up, ctx).await,
            None => Err(owner::cancelled(
                Reason::ScopeFinished,
                Location::caller(),
                None,
            )),
        }
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if let State::Refused(_, Some(clean_up)) = &self.0 {
            log(|| {
                tracing::warn!(
                    deferred_at = %clean_up.who.location,
                    "a clean-up was deferred to the end of a scope that is over, and does not run",
                );
            });
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("is_refused", &self.is_refused())
            .finish_non_exhaustive()
    }
}

/// Defers `f`, whose output is that of a task of `S`.
fn defer<S, F, Fut, O>(shared: &Arc<Shared>, isolated: bool, location: Place, f: F) -> Deferred
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = O> + Send + 'static,
    S: Spawns<O>,
{
    let clean_up = CleanUp {
        who: Who {
            name: None,
            location,
        },
        isolated,
        begin: Box::new(|ctx| {
            let future = whole(f(ctx));
            Box::pin(async {
                let output = future.await;
                if let Some(text) = S::failure(&output) {
                    let text = one_line(text.into()).into_owned();
                    return Err(CleanUpError::Isolated(text));
                }
                S::value_of(output).map(drop).map_err(CleanUpError::Linked)
            })
        }),
    };
    Deferred::new(shared, clean_up)
}

impl<E: Send + 'static> Scope<E> {
    /// Defers clean-up to the end of the scope: last in, first out, after every task of it is
    /// joined, and before it returns.
    ///
    /// It runs after a failure, after a panic, and also when the scope's future is dropped: then
    /// in a task that the scope around waits for. It gets a context with the scope's values that
    /// is detached from what has ended; all the clean-up of a scope together has five seconds,
    /// or as long as [`clean_up`](crate::ScopeOptions::clean_up) says, and is cut off then.
    ///
    /// Its error is the scope's if nothing else failed, and is one of the late ones otherwise.
    /// It is accepted as long as the scope is open, also when its context has ended.
    ///
    /// What it needs and the body fills is shared in an `Arc<Mutex<..>>`. What it flushes
    /// through lives in a scope around this one: the tasks of this one are gone by then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tokio_ctx::{Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let done = log.clone();
    /// let result = scope(&Context::background(), async |s| {
    ///     let (first, second) = (done.clone(), done.clone());
    ///     s.defer(async move |ctx| {
    ///         assert!(!ctx.is_done());
    ///         first.lock().unwrap().push("close the pool");
    ///     });
    ///     s.defer(async move |_| second.lock().unwrap().push("flush"));
    ///     Err::<(), _>(std::io::Error::other("disk full"))
    /// })
    /// .await;
    /// assert_eq!(result.unwrap_err().to_string(), "disk full");
    /// assert_eq!(*log.lock().unwrap(), ["flush", "close the pool"]);
    /// # }
    /// ```
    #[track_caller]
    pub fn defer<F, Fut, O>(&self, f: F) -> Deferred
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E>,
    {
        defer::<Self, _, _, _>(&self.shared, false, Location::caller(), f)
    }
}

impl Spawner {
    /// Defers clean-up to the end of the scope, as [`Scope::defer`] does; its error goes into the
    /// log and decides nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Spawner, scope};
    ///
    /// struct Pool;
    ///
    /// impl Pool {
    ///     fn new(tasks: &Spawner) -> Pool {
    ///         tasks.defer(async |_ctx| Ok::<_, std::io::Error>(())); // close what is open
    ///         Pool
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let _pool = Pool::new(&s);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn defer<F, Fut, O>(&self, f: F) -> Deferred
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = O> + Send + 'static,
        O: IsolatedOutput,
    {
        defer::<Self, _, _, _>(&self.shared, true, Location::caller(), f)
    }
}
