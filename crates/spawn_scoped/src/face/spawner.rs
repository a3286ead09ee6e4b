//! The handle that libraries take: [`Spawner`].

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::Context;
use tokio_ctx_core::future::Run;

use crate::data::task_snapshot::TaskSnapshot;
use crate::state::shared::Shared;
use crate::watch::straggler;

/// A scope without the type of its error: spawns isolated tasks, which cannot fail the scope.
///
/// It is what a struct, a constructor or a plug-in takes: it has no type parameter, so it neither
/// spreads through the types around it nor keeps a trait from being `dyn`.
/// A [`Scope`](crate::Scope) of any error type derefs to it, so `&scope` goes where a `&Spawner`
/// is wanted; a clone may be kept.
///
/// What it starts is joined and asked to stop with the scope's other tasks.
/// Its error, its panic or its loss goes to the code that awaits the [`Task`](crate::Task), and
/// decides nothing else; if the task is not awaited, it is logged.
/// An error that only says that the context has ended is no failure, and is not logged.
///
/// With `panic = "abort"` nothing is isolated: a panic ends the process.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tokio_ctx::{Context, Spawner, scope};
///
/// struct Counter {
///     hits: Arc<AtomicU32>,
///     tasks: Spawner,
/// }
///
/// impl Counter {
///     fn new(tasks: &Spawner) -> Counter {
///         Counter { hits: Arc::default(), tasks: tasks.clone() }
///     }
///
///     fn hit(&self) -> tokio_ctx::Task<()> {
///         let hits = self.hits.clone();
///         self.tasks.isolated(async move |_| {
///             hits.fetch_add(1, Ordering::Relaxed);
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::io::Error> {
/// scope(&Context::background(), async |s| {
///     let counter = Counter::new(&s);
///     counter.hit().await?;
///     assert_eq!(counter.hits.load(Ordering::Relaxed), 1);
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[derive(Clone)]
pub struct Spawner {
    pub(crate) shared: Arc<Shared>,
    /// The scope's context, if it has values; otherwise that is the lifetime alone.
    ctx: Option<Context>,
    /// Of a scope that drains: ends at once with the parent, or with the scope.
    intake: Option<Context>,
}

impl Spawner {
    pub(crate) fn new(shared: Arc<Shared>, ctx: Option<Context>, intake: Option<Context>) -> Self {
        Self {
            shared,
            ctx,
            intake,
        }
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
        self.ctx.as_ref().unwrap_or_else(|| self.shared.context())
    }

    /// The context that stops the body and the waiters for a slot.
    pub(crate) fn intake(&self) -> &Context {
        self.intake.as_ref().unwrap_or(self.context())
    }

    /// Runs a future until the scope takes no more work, and gives the reason if it is ended so.
    ///
    /// It is how a body waits for what may never come: it ends with the scope's own context, so
    /// with the parent and with [`Scope::cancel`](crate::Scope::cancel) alike. In a scope that
    /// [drains](crate::ScopeOptions::drain) it ends with the parent at once, before the tasks do.
    /// A value that is ready at that moment is kept.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops the future; ended, the future was dropped at its current await. What
    /// loses nothing when it is dropped there, such as `accept` or `recv`, loses nothing here.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    /// for item in [1, 2, 3] {
    ///     sender.send(item).await.unwrap();
    /// }
    /// let sum = scope(&Context::background(), async |s| {
    ///     let mut sum = 0;
    ///     while let Ok(Some(item)) = s.run(receiver.recv()).await {
    ///         sum += item;
    ///         if sum == 6 {
    ///             s.cancel();
    ///         }
    ///     }
    ///     Ok::<_, Cancelled>(sum)
    /// })
    /// .await?;
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        self.intake().run(future)
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
        self.shared.name()
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
    pub fn unfinished(&self) -> Vec<TaskSnapshot> {
        straggler::list(&self.shared)
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
