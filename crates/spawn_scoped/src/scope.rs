//! The face of the crate: [`scope()`] and the [`Scope`] it hands to its body.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use crate::builder::TaskBuilder;
use crate::entry::Place;
use crate::refused::Refused;
use crate::run::run;
use crate::shared::Shared;
use crate::straggler::{self, Straggler};
use crate::task::Task;
use crate::ticket::Ticket;

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
pub fn scope<T, E, F>(ctx: &Context, body: F) -> impl Future<Output = Result<T, E>>
where
    F: AsyncFnOnce(&Scope<E>) -> Result<T, E>,
    E: From<Cancelled> + Send + 'static,
{
    run(ctx, None, Location::caller(), body, None)
}

/// Spawns tasks that the call of [`scope()`] waits for.
///
/// Clones go into tasks, which may spawn siblings.
/// A clone does not keep the scope open: once everybody has left, it spawns no more.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let siblings = s.clone();
///     s.spawn(async move |_| {
///         let task = siblings.spawn(async |_| Ok::<_, Cancelled>(7));
///         assert_eq!(task.await?, 7);
///         Ok(())
///     });
///     Ok(())
/// })
/// .await
/// # }
/// ```
pub struct Scope<E> {
    pub(crate) shared: Arc<Shared>,
    /// The scope's context, if it has values; otherwise that is the lifetime alone.
    ctx: Option<Context>,
    /// Whether this is the body's own, which lives no longer than the body and
    /// so knows that the scope is open.
    of_body: bool,
    error: PhantomData<fn(E) -> E>,
}

impl<E> Scope<E> {
    pub(crate) fn of_body(shared: Arc<Shared>, ctx: Option<Context>) -> Self {
        Self {
            shared,
            ctx,
            of_body: true,
            error: PhantomData,
        }
    }

    pub(crate) fn is_of_body(&self) -> bool {
        self.of_body
    }

    #[inline]
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        if self.of_body {
            return Some(Ticket::from_inside(&self.shared));
        }
        Ticket::enter(&self.shared)
    }

    /// The scope's own context: what its tasks get.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let escaped = scope(&Context::background(), async |s| {
    ///     assert!(!s.context().is_done());
    ///     Ok::<_, Cancelled>(s.context().clone())
    /// })
    /// .await?;
    /// assert_eq!(escaped.err().unwrap().reason(), Reason::ScopeFinished);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        self.with_values()
            .unwrap_or_else(|| self.shared.lifetime.context())
    }

    /// The same, if it has values.
    pub(crate) fn with_values(&self) -> Option<&Context> {
        self.ctx.as_ref()
    }

    /// The line of the call that made the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let next_line = line!() + 1;
    /// scope(&Context::background(), async |s| {
    ///     assert_eq!(s.location().line(), next_line);
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.shared.location
    }

    /// The name from [`ScopeOptions::name`](crate::ScopeOptions::name), if any.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let options = ScopeOptions::new().name("import");
    /// options
    ///     .run(&Context::background(), async |s| {
    ///         assert_eq!(s.name(), Some("import"));
    ///         Ok::<_, Cancelled>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.name().map(|name| name.as_ref().as_ref())
    }

    /// Ends the scope because its work is done: enough is not failure.
    ///
    /// The tasks are asked to stop and still waited for.
    /// What they return from now on is reported, but no longer decides: the body's result is
    /// the scope's. Returns whether this call was what ended the scope's context; if it was
    /// not, a failure or the end of the parent's context decides as ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let found = scope(&Context::background(), async |s| {
    ///     s.spawn(async |ctx| Err::<(), Cancelled>(ctx.done().await));
    ///     assert!(s.cancel());
    ///     Ok("found")
    /// })
    /// .await;
    /// assert_eq!(found.unwrap(), "found");
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_at(Location::caller(), None)
    }

    /// The same with a cause, which the tasks find in their context's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     assert!(s.cancel_with("the answer is known"));
    ///     let why = s.context().err().unwrap();
    ///     assert!(why.to_string().contains("the answer is known"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.cancel_at(Location::caller(), Some(Arc::from(cause.into())))
    }

    /// The owner's cancel, from the line at `location`.
    pub(crate) fn cancel_at(
        &self,
        location: Place,
        cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
    ) -> bool {
        // The ticket keeps the result open until it is known who won.
        let Some(_ticket) = self.ticket() else {
            return false;
        };
        let won = self
            .shared
            .end(owner::cancelled(Reason::Explicit, location, cause));
        if won {
            self.shared.rare.lock().failures.enough = true;
        }
        won
    }

    /// The tasks that have not finished, with their ages.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn(async |_| Ok::<_, Cancelled>(()));
    ///     assert_eq!(s.unfinished().len(), 1);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> Vec<Straggler> {
        straggler::list(&self.shared)
    }
}

impl<E: Send + 'static> Scope<E> {
    /// Spawns a cooperative task: it takes the context and owns its wind-down.
    ///
    /// When the context ends it is asked to stop, never cut off: the scope waits for it as long
    /// as it takes, reporting it every five seconds, or, with a
    /// [`grace`](crate::ScopeOptions::grace), aborts it after that.
    /// `f` itself is called at once; only its future runs in the task.
    ///
    /// The spawn is refused when the scope is over or its context has ended: the [`Task`] then
    /// says so, and `f` is dropped uncalled. [`try_spawn`](Self::try_spawn) gives it back.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future. Without a runtime there is no
    /// panic: the task is [lost](tokio_ctx_core::Reason::TaskLost).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let greeting = scope(&Context::background(), async |s| {
    ///     let name = String::from("world");
    ///     let task = s.spawn(async move |_ctx| Ok::<_, Cancelled>(format!("hello, {name}")));
    ///     task.await
    /// })
    /// .await?;
    /// assert_eq!(greeting, "hello, world");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<T, F, Fut>(&self, f: F) -> Task<T>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().spawn(f)
    }

    /// Spawns a task that is dropped at its next await when the scope's context ends.
    ///
    /// A value that is ready at that moment is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn_cancellable(std::future::pending::<Result<(), Cancelled>>());
    ///     s.cancel();
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_cancellable<T, Fut>(&self, future: Fut) -> Task<T>
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().spawn_cancellable(future)
    }

    /// Runs a closure on a thread where it may block; joined like the rest.
    ///
    /// A started one cannot be stopped from outside: let it ask
    /// [`ctx.check()?`](Context::check) now and then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let sum = scope(&Context::background(), async |s| {
    ///     s.spawn_blocking(|ctx| {
    ///         let mut sum = 0u64;
    ///         for n in 0..1_000 {
    ///             ctx.check()?;
    ///             sum += n;
    ///         }
    ///         Ok::<_, Cancelled>(sum)
    ///     })
    ///     .await
    /// })
    /// .await?;
    /// assert_eq!(sum, 499_500);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<T, F>(&self, f: F) -> Task<T>
    where
        F: FnOnce(Context) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.task().spawn_blocking(f)
    }

    /// Spawns a task that does not keep the scope open: asked to stop when the others are
    /// done, and then waited for.
    ///
    /// Before that, its failure is the scope's failure, as with any task. Once it has been asked,
    /// what it returns no longer decides.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn_background(async |ctx| {
    ///         let why = ctx.done().await;
    ///         assert_eq!(why.reason(), Reason::ScopeFinished);
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_background<T, F, Fut>(&self, f: F) -> Task<T>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().background().spawn(f)
    }

    /// Spawns a task whose future need not be `Send`, on the thread's own local runtime.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet` or a local runtime, as [`tokio::task::spawn_local`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let local = tokio::task::LocalSet::new();
    /// let length = local
    ///     .run_until(scope(&Context::background(), async |s| {
    ///         let text = Rc::new(String::from("local"));
    ///         s.spawn_local(async move |_| Ok::<_, Cancelled>(text.len())).await
    ///     }))
    ///     .await?;
    /// assert_eq!(length, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local<T, F, Fut>(&self, f: F) -> Task<T>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.task().spawn_local(f)
    }

    /// Spawns a task that this scope waits for, but that another context stops.
    ///
    /// The end of this scope's own context does not reach it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let server = Context::background().with_cancel();
    /// scope(&Context::background(), async |s| {
    ///     let flush = s.spawn_on(&server, async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     s.cancel();
    ///     assert!(!flush.await?);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_on<T, F, Fut>(&self, other: &Context, f: F) -> Task<T>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().under(other).spawn(f)
    }

    /// Spawns a cooperative task if the [`limit`](crate::ScopeOptions::limit) leaves a slot,
    /// the scope is open and its context has not ended.
    ///
    /// # Errors
    ///
    /// [`Refused`], which says why and gives `f` back, uncalled.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::<Cancelled>::new()
    ///     .limit(1)
    ///     .run(&Context::background(), async |s| {
    ///         assert!(s.try_spawn(async |_| Ok(())).is_ok());
    ///         assert!(s.try_spawn(async |_| Ok(())).unwrap_err().is_full());
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn try_spawn<T, F, Fut>(&self, f: F) -> Result<Task<T>, Refused<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().try_spawn(f)
    }

    /// Waits for a slot under the [`limit`](crate::ScopeOptions::limit), then spawns.
    ///
    /// Slots go to who has waited longest.
    ///
    /// # Errors
    ///
    /// [`Refused`] with `f` when the scope's context ends meanwhile: nobody waits for a slot
    /// past the cancel that would free it.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives up its place in line; `f` is dropped uncalled.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::<Cancelled>::new()
    ///     .limit(2)
    ///     .run(&Context::background(), async |s| {
    ///         for _ in 0..10 {
    ///             assert!(s.spawn_when_free(async |_| Ok(())).await.is_ok());
    ///         }
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_when_free<T, F, Fut>(
        &self,
        f: F,
    ) -> impl Future<Output = Result<Task<T>, Refused<F>>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.task().spawn_when_free(f)
    }

    /// A task with a name, a span policy, or another of the things that are rarely set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("warm-up").background().spawn(async |_| Ok(()));
    ///     assert_eq!(task.name(), Some("warm-up"));
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn task(&self) -> TaskBuilder<'_, E> {
        let location: Place = Location::caller();
        TaskBuilder::new(self, location)
    }
}

impl<E> Clone for Scope<E> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            ctx: self.ctx.clone(),
            of_body: false,
            error: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Scope<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
