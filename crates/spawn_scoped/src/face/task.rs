//! What is rarely set about a task, and the ways to start it: [`TaskOptions`].

use std::borrow::Cow;
use std::marker::PhantomData;

use tokio_ctx_core::{Cancelled, Context};
use tracing::Span;

use crate::data::entry::{Place, TaskKind};
use crate::data::text::Name;
use crate::face::launch::Launch;
use crate::face::scope::Scope;
use crate::face::spawner::Spawner;
use crate::rt::{self, JoinHandle};
use crate::task::handle::Task;
use crate::task::job::queue;
use crate::task::output::{IsolatedOutput, Spawns, TaskOutput};
use crate::task::work::{Cancellable, Plain, Work};

/// A task about to be spawned; from [`Scope::task`](crate::Scope::task) or [`Spawner::task`].
///
/// `S` is the type it comes from. The failure of a task of a [`Scope`] concerns the scope, that of
/// a task of a [`Spawner`] only the code that awaits it.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// let rows = scope(&Context::background(), async |s| {
///     s.task()
///         .name("count rows")
///         .span(tracing::info_span!("count", table = "orders"))
///         .spawn_blocking(|_ctx| Ok::<_, Cancelled>(300_000))
///         .await
/// })
/// .await?;
/// assert_eq!(rows, 300_000);
/// # Ok(())
/// # }
/// ```
#[must_use = "a task runs only once one of the `spawn` methods is called"]
pub struct TaskOptions<'s, S> {
    launch: Launch<'s>,
    of: PhantomData<fn() -> S>,
}

impl<'s, S> TaskOptions<'s, S> {
    #[inline]
    pub(crate) fn new(scope: &'s Spawner, location: Place, isolated: bool) -> Self {
        let mut launch = Launch::new(scope, location);
        launch.isolated = isolated;
        Self::of(launch)
    }

    #[inline]
    fn of(launch: Launch<'s>) -> Self {
        Self {
            launch,
            of: PhantomData,
        }
    }

    /// A name for errors, logs, reports and trees.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     assert_eq!(task.name(), Some("flush"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.launch.name = Some(Name::new(name));
        self
    }

    /// The tracing span that the task runs in, in place of the one that is current where it is
    /// spawned.
    ///
    /// A span lives until everything inside it is done, so a task that outlives its request by
    /// design should not run in the request's span. Give it a span that
    /// [follows from](Span::follows_from) that one, or [none](Span::none).
    /// [`Context::printable_values`] has what a span of a task may say of its context.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    /// use tracing::Span;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().span(Span::none()).spawn(async |_| {
    ///         assert!(Span::current().is_none());
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     task.await?;
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn span(mut self, span: Span) -> Self {
        self.launch.span = Some(span);
        self
    }

    /// The context that stops the task, in place of the scope's: the end of the scope's own
    /// context does not reach it, and its own end is no failure of the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let tenant = Context::background().with_cancel();
    ///     tenant.cancel_with("suspended");
    ///     let task = s.task().under(&tenant).spawn(async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     // Its context has ended, so it is refused.
    ///     assert!(task.await.unwrap_err().to_string().contains("suspended"));
    ///     s.cancel(); // and that does not decide what this scope returns
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn under(mut self, other: &Context) -> Self {
        self.launch.under = Some(other.clone());
        self
    }

    /// A second context that stops the task, besides the scope's (or that of
    /// [`under`](Self::under)).
    ///
    /// With a guard's context, the guard ends this task alone: its handle says why, and
    /// the scope goes on as if the task had returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let stop = Context::background().with_cancel();
    ///     let refresher = s.task().background().until(&stop);
    ///     let refresher = refresher.spawn(async |ctx| Err::<(), Cancelled>(ctx.done().await));
    ///     stop.cancel_with("the cache was dropped");
    ///     let why = refresher.await.unwrap_err();
    ///     assert!(why.to_string().contains("the cache was dropped"));
    ///     assert!(!s.context().is_done());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn until(mut self, end: &Context) -> Self {
        self.launch.until = Some(end.clone());
        self
    }

    /// The task does not keep the scope open: it is asked to stop when the body and the other
    /// tasks are done, after a cancel and the parent's end too, and then waited for.
    ///
    /// Before that, its failure is the scope's failure, as with any task. Once it has been asked,
    /// what it returns no longer decides. It takes no slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().background().spawn(async |ctx| {
    ///         ctx.done().await; // asked to stop when the others are done
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     let task = s.spawn(async |_| Ok::<_, Cancelled>(7));
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn background(mut self) -> Self {
        self.launch.background = true;
        self
    }

    /// Waits for a slot under the [`limit`](crate::ScopeOptions::limit): the task then has one,
    /// before the work for it exists.
    ///
    /// Slots go to the longest waiter. Dropped unused, the slot is given back. In a scope
    /// without a limit there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// Why the context has ended, when it ends meanwhile: nobody waits for a slot past the
    /// cancel that would free it.
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
    /// ScopeOptions::new()
    ///     .limit(1)
    ///     .run(&Context::background(), async |s| {
    ///         let first = s.task().name("first").slot().await?.spawn(async |_| Ok(1));
    ///         // Waits until the first has given its slot back.
    ///         let second = s.task().name("second").slot().await?.spawn(async |_| Ok(2));
    ///         assert_eq!(first.await? + second.await?, 3);
    ///         Ok::<_, Cancelled>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub async fn slot(mut self) -> Result<Self, Cancelled> {
        self.launch.wait_for_slot().await?;
        Ok(self)
    }

    /// Takes a slot under the [`limit`](crate::ScopeOptions::limit) if one is free and nobody waits
    /// for it.
    ///
    /// # Errors
    ///
    /// Why no task can start: all slots are taken
    /// ([`LimitReached`](tokio_ctx_core::Reason::LimitReached)), or the context has ended. The scope
    /// goes on, and what was to be done is still the caller's.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::new()
    ///     .limit(1)
    ///     .run(&Context::background(), async |s| {
    ///         let first = s.task().try_slot()?.spawn(async |_| Ok::<_, Cancelled>(7));
    ///         let full = s.task().try_slot().unwrap_err();
    ///         assert_eq!(full.reason(), Reason::LimitReached);
    ///         assert_eq!(first.await?, 7);
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub fn try_slot(mut self) -> Result<Self, Cancelled> {
        self.launch.try_slot()?;
        Ok(self)
    }
}

impl<S: 'static> TaskOptions<'_, S> {
    /// Spawns a cooperative task; see [`Scope::spawn`](crate::Scope::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().spawn(async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     assert!(!task.await?);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, Fut, O>(mut self, f: F) -> Task<S::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        S: Spawns<O, Value: Send + 'static>,
    {
        self.launch.start(TaskKind::Cooperative, |record, ctx| {
            let future = f(ctx);
            JoinHandle::Task(rt::spawn(Work::<_, Plain<S>>::new(future, record)))
        })
    }

    /// Spawns a task that is dropped at its next await when its context ends.
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
    ///     let task = s.task().spawn_cancellable(async { Ok::<_, Cancelled>(7) });
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_cancellable<Fut, O>(mut self, future: Fut) -> Task<S::Value>
    where
        Fut: Future<Output = O> + Send + 'static,
        S: Spawns<O, Value: Send + 'static>,
    {
        self.launch.start(TaskKind::Cancellable, |record, ctx| {
            let future = ctx.run(future);
            drop(ctx);
            JoinHandle::Task(rt::spawn(Work::<_, Cancellable<S>>::new(future, record)))
        })
    }

    /// Runs a closure on a thread where it may block; see
    /// [`Scope::spawn_blocking`](crate::Scope::spawn_blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("hash").spawn_blocking(|ctx| {
    ///         ctx.check()?;
    ///         Ok::<_, Cancelled>(7)
    ///     });
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, O>(mut self, f: F) -> Task<S::Value>
    where
        F: FnOnce(Context) -> O + Send + 'static,
        S: Spawns<O, Value: Send + 'static>,
    {
        self.launch.start(TaskKind::Blocking, |record, ctx| {
            queue::<S, _, _>(f, ctx, record)
        })
    }

    /// Spawns a task whose future need not be `Send`, on the thread's own local runtime.
    ///
    /// # Panics
    ///
    /// In a runtime, but outside of a `LocalSet` or a local runtime, as
    /// [`tokio::task::spawn_local`] does. Without a runtime there is no panic: the task is
    /// [lost](tokio_ctx_core::Reason::TaskLost).
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
    /// let answer = local
    ///     .run_until(scope(&Context::background(), async |s| {
    ///         let shared = Rc::new(7); // never leaves this thread
    ///         s.task().spawn_local(async move |_| Ok::<_, Cancelled>(*shared)).await
    ///     }))
    ///     .await?;
    /// assert_eq!(answer, 7);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local<F, Fut, O>(mut self, f: F) -> Task<S::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + 'static,
        S: Spawns<O, Value: 'static>,
    {
        self.launch.start(TaskKind::Cooperative, |record, ctx| {
            let future = f(ctx);
            JoinHandle::Task(rt::spawn_local(Work::<_, Plain<S>>::new(future, record)))
        })
    }
}

impl<E: Send + 'static> TaskOptions<'_, Scope<E>> {
    /// Spawns a task whose error and panic concern only the code that awaits it; see
    /// [`Scope::isolated`](crate::Scope::isolated).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::new()
    ///     .limit(8)
    ///     .run(&Context::background(), async |s| {
    ///         let slot = s.slot().await?; // before the connection is accepted
    ///         let connection = slot.isolated(async |_| panic!("a bad client"));
    ///         let outcome: Result<(), Cancelled> = connection.await;
    ///         assert!(outcome.unwrap_err().to_string().contains("a bad client"));
    ///         Ok::<_, Cancelled>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn isolated<F, Fut, O>(mut self, f: F) -> Task<O>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E> + IsolatedOutput + Send + 'static,
    {
        self.launch.isolated = true;
        TaskOptions::<Spawner>::of(self.launch).spawn(f)
    }
}

impl<S> std::fmt::Debug for TaskOptions<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskOptions")
            .field("name", &self.launch.name)
            .field("background", &self.launch.background)
            .finish_non_exhaustive()
    }
}
