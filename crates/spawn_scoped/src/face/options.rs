//! What is rarely set about a scope: [`ScopeOptions`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio_ctx_core::{Cancelled, Context};

use crate::data::config::Config;
use crate::data::failure::TaskFailure;
use crate::data::text::Name;
use crate::face::run::{Late, run};
use crate::face::scope::Scope;

/// A scope with a name, a grace, a limit or another policy than "the first error ends it".
///
/// [`scope`](crate::scope()) is this with nothing set.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::{Cancelled, Context, ScopeOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background();
/// let answer = ScopeOptions::<Cancelled>::new()
///     .name("import")
///     .grace(Duration::from_secs(10))
///     .run(&ctx, async |s| s.spawn(async |_| Ok(42)).await)
///     .await;
/// assert_eq!(answer.unwrap(), 42);
/// # }
/// ```
#[must_use = "options do nothing until a scope is `run` with them"]
pub struct ScopeOptions<E> {
    config: Config,
    error: PhantomData<fn(E) -> E>,
}

impl<E> ScopeOptions<E>
where
    E: From<Cancelled> + Send + 'static,
{
    /// Nothing set: what [`scope`](crate::scope()) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, ScopeOptions};
    ///
    /// let options = ScopeOptions::<Cancelled>::new();
    /// assert!(format!("{options:?}").contains("limit: None"));
    /// ```
    pub fn new() -> Self {
        Self {
            config: Config::NONE,
            error: PhantomData,
        }
    }

    /// A name for logs, reports and trees.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, ScopeOptions};
    ///
    /// let options = ScopeOptions::<Cancelled>::new().name("import");
    /// assert!(format!("{options:?}").contains("import"));
    /// ```
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.config.name = Some(Name::new(name));
        self
    }

    /// How long tasks may go on after the scope's context ended; then they are aborted.
    ///
    /// The body has the same grace and is dropped after it.
    /// An aborted task makes the scope an error with reason
    /// [`TaskAborted`](tokio_ctx_core::Reason::TaskAborted), unless another error came first.
    /// Tasks on blocking threads that have started cannot be aborted: they are waited for, and
    /// reported.
    /// The grace covers the tasks of scopes that were dropped below, too.
    /// Without a grace, the scope waits as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Cancelled, Context, Reason, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let parent = Context::background().with_timeout(Duration::from_secs(1));
    /// let deaf = ScopeOptions::<Cancelled>::new()
    ///     .grace(Duration::from_secs(5))
    ///     .run(&parent, async |s| {
    ///         s.spawn(async |_| std::future::pending::<Result<(), Cancelled>>().await)
    ///             .await
    ///     })
    ///     .await;
    /// assert_eq!(deaf.unwrap_err().reason(), Reason::TaskAborted);
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = Some(grace);
        self
    }

    /// How long the tasks go on after the end of the parent.
    ///
    /// At the end of the parent the body is asked at once: [`run`](crate::Spawner::run) and
    /// [`slot`](Scope::slot) end, so nothing new is taken in. The tasks' own context ends when
    /// this time is over, then follow the [`grace`](Self::grace) and the abort.
    /// When all have finished before that, the scope returns what its body returned.
    ///
    /// It belongs to the scope that takes work in, a worker's or a server's. A scope around that
    /// one needs none: a task hears of the end when the drain of its scope is over, and a drain
    /// of its own would only begin then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let server = Context::background().with_cancel();
    /// let answered = ScopeOptions::new()
    ///     .drain(Duration::from_secs(20))
    ///     .run(&server, async |s| {
    ///         let request = s.spawn(async |ctx| {
    ///             ctx.run(tokio::time::sleep(Duration::from_secs(3))).await?;
    ///             Ok::<_, Cancelled>("200 OK")
    ///         });
    ///         server.cancel_with("SIGTERM");
    ///         assert!(s.run(std::future::pending::<()>()).await.is_err());
    ///         request.await // it is not cut off
    ///     })
    ///     .await?;
    /// assert_eq!(answered, "200 OK");
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(mut self, drain: Duration) -> Self {
        self.config.drain = Some(drain);
        self
    }

    /// How long all the clean-up that was [deferred](Scope::defer) may take together: five
    /// seconds unless set. What has not ended then is cut off, and that is an error.
    ///
    /// With [`drain`](Self::drain) and [`grace`](Self::grace) it is the longest that the scope
    /// goes on after the end of its parent; clean-up inside of clean-up has no more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Cancelled, Context, Reason, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let result = ScopeOptions::<Cancelled>::new()
    ///     .clean_up(Duration::from_secs(1))
    ///     .run(&Context::background(), async |s| {
    ///         s.defer(async |_ctx| std::future::pending::<()>().await);
    ///         Ok(())
    ///     })
    ///     .await;
    /// assert_eq!(result.unwrap_err().reason(), Reason::TaskAborted);
    /// # }
    /// ```
    pub fn clean_up(mut self, clean_up: Duration) -> Self {
        self.config.clean_up = Some(clean_up);
        self
    }

    /// How many tasks run at once.
    ///
    /// [`slot`](Scope::slot) waits for a free slot, before the work for it exists.
    /// A plain spawn beyond the limit is refused: nothing starts, its handle says so, and the
    /// scope fails with reason [`LimitReached`](tokio_ctx_core::Reason::LimitReached), as with any
    /// task that did not run. [`try_slot`](crate::TaskOptions::try_slot) asks before.
    /// Background tasks take no slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, ScopeOptions};
    ///
    /// let options = ScopeOptions::<Cancelled>::new().limit(8);
    /// assert!(format!("{options:?}").contains("limit: Some(8)"));
    /// ```
    pub fn limit(mut self, limit: usize) -> Self {
        self.config.limit = Some(limit);
        self
    }

    /// A failing task is reported, but ends nothing and decides nothing.
    ///
    /// Its error is among the late ones of [`run_reported`](Self::run_reported), and code that
    /// awaits the task sees it fail.
    /// The body's result is the scope's. A panic is still a panic: it ends the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::new()
    ///     .supervise()
    ///     .run(&Context::background(), async |s| {
    ///         let failing = s.spawn(async |ctx| {
    ///             ctx.with_timeout(std::time::Duration::ZERO).check()
    ///         });
    ///         assert!(failing.await.is_err());
    ///         assert!(!s.context().is_done());
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub fn supervise(mut self) -> Self {
        self.config.supervise = true;
        self
    }

    /// A failure asks the body to stop, as it asks the tasks, in place of dropping it.
    ///
    /// Without it, the body of a scope that is ended by the failure of a task is polled no more:
    /// what it holds at its current await is dropped. With it, the body goes on until it returns,
    /// and its result is one of those that came late.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut described = false;
    /// let result = ScopeOptions::<std::io::Error>::new()
    ///     .keep_body()
    ///     .run(&Context::background(), async |s| {
    ///         s.spawn(async |_| Err::<(), _>(std::io::Error::other("disk full")));
    ///         s.context().done().await;
    ///         described = true;
    ///         Ok(())
    ///     })
    ///     .await;
    /// assert_eq!(result.unwrap_err().to_string(), "disk full");
    /// assert!(described);
    /// # }
    /// ```
    pub fn keep_body(mut self) -> Self {
        self.config.keep_body = true;
        self
    }

    /// How to put an error into words, for the cause that the other tasks are cancelled with
    /// and for logs.
    ///
    /// The text also tells which errors only say that their task was cancelled: those with the
    /// text of the [`Cancelled`] in theirs. For errors that are structs nothing else does, so
    /// without it the first of them decides.
    /// Boxed errors, [`io::Error`](std::io::Error), [`Cancelled`], and with the feature `anyhow`
    /// those of anyhow, need no such help; an enum needs it only for the text.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::ScopeOptions;
    ///
    /// let options = ScopeOptions::new().describe(|error: &anyhow::Error| format!("{error:#}"));
    /// assert!(format!("{options:?}").starts_with("ScopeOptions"));
    /// ```
    pub fn describe(mut self, describe: impl Fn(&E) -> String + Send + Sync + 'static) -> Self {
        self.config.describe = Some(Box::new(move |error| {
            error.downcast_ref::<E>().map(&describe)
        }));
        self
    }

    /// Runs a scope with these options; otherwise like [`scope`](crate::scope()).
    ///
    /// # Errors, panics, cancel safety
    ///
    /// Those of [`scope`](crate::scope()).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let answer = ScopeOptions::new()
    ///     .limit(4)
    ///     .run(&Context::background(), async |s| s.spawn(async |_| Ok::<_, Cancelled>(42)).await)
    ///     .await?;
    /// assert_eq!(answer, 42);
    /// Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn run<T, F, Fut>(self, ctx: &Context, body: F) -> impl Future<Output = Result<T, E>>
    where
        F: FnOnce(Scope<E>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let config = Some(Arc::new(self.config));
        run(ctx, config, Location::caller(), body, None)
    }

    /// The same, with the errors that did not become the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let report = ScopeOptions::<Box<dyn std::error::Error + Send + Sync>>::new()
    ///     .run_reported(&Context::background(), async |s| {
    ///         s.spawn(async |_| Err::<(), _>("first".into()));
    ///         s.spawn(async |_| Err::<(), _>("second".into()));
    ///         Ok(())
    ///     })
    ///     .await;
    /// assert_eq!(report.result.unwrap_err().to_string(), "first");
    /// assert_eq!(report.late[0].0.to_string(), "second");
    /// assert_eq!(report.num_late, 1);
    /// # }
    /// ```
    ///
    /// # Errors, panics, cancel safety
    ///
    /// Those of [`scope`](crate::scope()).
    #[track_caller]
    pub fn run_reported<T, F, Fut>(
        self,
        ctx: &Context,
        body: F,
    ) -> impl Future<Output = ScopeReport<T, E>>
    where
        F: FnOnce(Scope<E>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (config, location) = (Some(Arc::new(self.config)), Location::caller());
        async move {
            let mut late = Late {
                errors: Vec::new(),
                num: 0,
            };
            let result = run(ctx, config, location, body, Some(&mut late)).await;
            ScopeReport {
                result,
                late: late.errors,
                num_late: late.num,
            }
        }
    }
}

impl<E> Default for ScopeOptions<E>
where
    E: From<Cancelled> + Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for ScopeOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeOptions")
            .field("name", &self.config.name)
            .field("grace", &self.config.grace)
            .field("drain", &self.config.drain)
            .field("limit", &self.config.limit)
            .field("supervise", &self.config.supervise)
            .field("keep_body", &self.config.keep_body)
            .finish_non_exhaustive()
    }
}

/// The result of a scope, and the errors that did not become it.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, ScopeOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let report = ScopeOptions::new()
///     .run_reported(&Context::background(), async |s| {
///         s.spawn(async |ctx| Err::<(), _>(ctx.done().await));
///         s.task().name("late").spawn(async |ctx| Err::<(), _>(ctx.done().await));
///         s.cancel(); // what they return does not decide any more
///         Ok(7)
///     })
///     .await;
/// assert_eq!(report.result.unwrap(), 7);
/// assert_eq!(report.num_late, 2);
/// let (_error, task) = &report.late[1];
/// assert_eq!(task.name(), Some("late"));
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ScopeReport<T, E> {
    /// What [`scope`](crate::scope()) returns.
    pub result: Result<T, E>,
    /// The first few errors that came after the one that decided, in order of arrival, each with
    /// the task that returned it. The body is there as a task `scope body`.
    pub late: Vec<(E, TaskFailure)>,
    /// How many there were, those not kept included.
    pub num_late: usize,
}
