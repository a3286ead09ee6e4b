//! The verbs that start work: what a [`Scope`] and a [`Spawner`] do most.

use std::any::Any;
use std::panic::Location;

use tokio_ctx_core::{Cancelled, Context};

use crate::face::scope::Scope;
use crate::face::spawner::Spawner;
use crate::face::task::TaskOptions;
use crate::task::handle::Task;
use crate::task::output::{IsolatedOutput, Spawns, TaskOutput};

impl<E: Send + 'static> Scope<E> {
    /// Spawns a cooperative task: it takes the context and owns its wind-down.
    ///
    /// When the context ends it is asked to stop, never cut off: the scope waits for it as long
    /// as it takes, reporting it every five seconds, or, with a
    /// [`grace`](crate::ScopeOptions::grace), aborts it after that.
    /// `f` itself is called at once; only its future runs in the task.
    ///
    /// The spawn is refused when the scope is over, its context has ended or its
    /// [`limit`](crate::ScopeOptions::limit) is reached: the [`Task`] then says so, and `f` is
    /// dropped uncalled. [`try_slot`](TaskOptions::try_slot) asks before, and
    /// [`slot`](Self::slot) waits.
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
    pub fn spawn<F, Fut, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn(f)
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
    pub fn spawn_blocking<F, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> O + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn_blocking(f)
    }

    /// Spawns a task whose error and panic concern only those who await it, and decide nothing.
    ///
    /// It is for what a server runs for its clients: one bad client closes its own connection.
    /// Awaiting the task gives [`Cancelled`] if it has no output to give (it panicked, was
    /// stopped or refused), and its output otherwise, an error of its own included: `.await??`.
    /// A failure that is not awaited is logged.
    ///
    /// The task speaks the scope's error type; [`Spawner::isolated`] takes any.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// scope(&Context::background(), async |s| {
    ///     let bad = s.isolated(async |_| Err::<(), _>(std::io::Error::other("bad frame")));
    ///     let good = s.isolated(async |_| Ok(7));
    ///     assert_eq!(bad.await?.unwrap_err().to_string(), "bad frame");
    ///     assert_eq!(good.await??, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn isolated<F, Fut, O>(&self, f: F) -> Task<O>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E> + IsolatedOutput + Send + 'static,
    {
        self.task().isolated(f)
    }

    /// Waits for a slot under the [`limit`](crate::ScopeOptions::limit), before the work for it
    /// exists: an accept loop accepts no connection that it then has to hold.
    ///
    /// It is short for [`task().slot()`](TaskOptions::slot), which has the details.
    ///
    /// # Errors
    ///
    /// Why the scope's context has ended, when it ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives up its place in line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let (sender, mut jobs) = tokio::sync::mpsc::channel(8);
    /// for job in 0..8 {
    ///     sender.send(job).await.unwrap();
    /// }
    /// drop(sender);
    /// ScopeOptions::new()
    ///     .limit(2)
    ///     .run(&Context::background(), async |s| {
    ///         while let Ok(slot) = s.slot().await {
    ///             let Ok(Some(job)) = s.run(jobs.recv()).await else { break };
    ///             slot.spawn(async move |_| {
    ///                 assert!(job < 8);
    ///             });
    ///         }
    ///         Ok::<_, Cancelled>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn slot(&self) -> impl Future<Output = Result<TaskOptions<'_, Scope<E>>, Cancelled>> {
        self.task().slot()
    }

    /// A task with a name, a span, or another of the things that are rarely set.
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
    pub fn task(&self) -> TaskOptions<'_, Scope<E>> {
        TaskOptions::new(self, Location::caller(), false)
    }
}

impl Spawner {
    /// Spawns a task whose error and panic concern only those who await it, and decide nothing.
    ///
    /// As [`Scope::isolated`], with any error that can be printed.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Spawner, scope};
    ///
    /// async fn load(tasks: &Spawner) -> Result<u32, Cancelled> {
    ///     let loaded = tasks.isolated(async |_| Err::<u32, _>("no such row"));
    ///     Ok(loaded.await?.unwrap_or(0))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     assert_eq!(load(&s).await?, 0);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn isolated<F, Fut, O>(&self, f: F) -> Task<O>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: IsolatedOutput + Send + 'static,
    {
        self.task().spawn(f)
    }

    /// Waits for a slot under the scope's limit, for an isolated task; see [`Scope::slot`].
    ///
    /// # Errors
    ///
    /// Why the scope's context has ended, when it ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives up its place in line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let slot = s.spawner().slot().await?;
    ///     slot.spawn(async |_| ()).await
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn slot(&self) -> impl Future<Output = Result<TaskOptions<'_, Spawner>, Cancelled>> {
        self.task().slot()
    }

    /// An isolated task with a name, a span, or another of the things that are rarely set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.spawner().task().name("warm-up").background().spawn(async |_| ());
    ///     assert_eq!(task.name(), Some("warm-up"));
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn task(&self) -> TaskOptions<'_, Spawner> {
        TaskOptions::new(self, Location::caller(), true)
    }
}

impl<E: Send + 'static, O: TaskOutput<E>> Spawns<O> for Scope<E> {
    type Value = O::Value;

    #[inline]
    fn value_of(output: O) -> Result<O::Value, Box<dyn Any + Send>> {
        output.into_result().map_err(|error| Box::new(error) as _)
    }
}

impl<O: IsolatedOutput> Spawns<O> for Spawner {
    type Value = O;

    fn value_of(output: O) -> Result<O, Box<dyn Any + Send>> {
        Ok(output)
    }

    fn failure(output: &O) -> Option<String> {
        output.failure()
    }
}
