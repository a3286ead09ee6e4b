//! Tasks that go on after they were asked to stop: [`Straggler`].

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio_ctx_core::Cancelled;

use crate::data::entry::{Entry, TaskKind};
use crate::foreign;
use crate::state::shared::Shared;

/// At most so many are named in one report; the rest is counted.
const NAMED: usize = 16;

/// A task that is still running although its context has ended.
///
/// # Examples
///
/// ```standalone_crate
/// use std::time::Duration;
/// use tokio_ctx::{Cancelled, Context, ScopeOptions, root};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let ctx = Context::background();
/// let stubborn = tokio_ctx::scope(&ctx, async |s| {
///     s.task().name("stubborn").spawn(async |_| {
///         tokio::time::sleep(Duration::from_secs(3600)).await;
///         Ok::<_, Cancelled>(())
///     });
///     std::future::pending().await
/// });
/// let dropped: Result<Result<(), _>, _> =
///     tokio::time::timeout(Duration::from_secs(1), stubborn).await;
/// assert!(dropped.is_err());
///
/// let stragglers = root().join_timeout(Duration::from_secs(2)).await.unwrap_err();
/// assert_eq!(stragglers[0].name(), Some("stubborn"));
/// assert_eq!(stragglers[0].age(), Duration::from_secs(3));
/// # }
/// ```
#[derive(Clone)]
pub struct Straggler {
    entry: Entry,
    age: Duration,
    cause: Option<Cancelled>,
}

impl Straggler {
    fn new(entry: Entry, cause: Option<Cancelled>) -> Self {
        Self {
            age: entry.age(),
            entry,
            cause,
        }
    }

    /// The name it was given, if any, escaped to one line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert_eq!(unfinished[0].name(), Some("flush"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.entry.name()
    }

    /// The line that spawned it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert_eq!(unfinished[0].location().file(), file!());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.entry.location
    }

    /// How long it had been running when this was written down.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert_eq!(unfinished[0].age(), std::time::Duration::ZERO);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }

    /// How it is run.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, TaskKind, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert_eq!(unfinished[0].kind(), TaskKind::Cooperative);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn kind(&self) -> TaskKind {
        self.entry.kind()
    }

    /// Why its scope's context ended; `None` if that still goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert!(unfinished[0].cause().is_none());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Cancelled> {
        self.cause.as_ref()
    }

    /// Whether a grace could end it. A blocking task can only be asked.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     let unfinished = s.unfinished();
    ///     assert!(unfinished[0].can_be_aborted());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn can_be_aborted(&self) -> bool {
        self.kind() != TaskKind::Blocking
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task ")?;
        if let Some(name) = self.name() {
            write!(f, "`{name}` ")?;
        }
        write!(f, "(spawned at {}, {:?} ago", self.location(), self.age)?;
        if !self.can_be_aborted() {
            f.write_str(", blocking: cannot be aborted")?;
        }
        f.write_str(")")?;
        match &self.cause {
            Some(cause) => write!(f, " still runs after: {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Straggler({self})")
    }
}

/// The unfinished tasks of a scope, of its background and of what it took
/// over, oldest scope first.
pub(crate) fn list(scope: &Arc<Shared>) -> Vec<Straggler> {
    let mut found = Vec::new();
    let mut todo = vec![scope.clone()];
    while let Some(scope) = todo.pop() {
        found.extend(own(&scope));
        let below = scope.below().into_iter();
        todo.extend(below.filter(|below| below.is_handed_over()));
    }
    found
}

/// Those of the scope's own ledger.
fn own(scope: &Shared) -> Vec<Straggler> {
    let cause = scope.context().err();
    let tasks = scope.ledger.unfinished().into_iter();
    tasks
        .map(|entry| Straggler::new(entry, cause.clone()))
        .collect()
}

/// Tells the log who is still running in a scope whose future waits since its context ended for
/// `cause`. Scopes that were taken over report their own.
pub(crate) fn report(scope: &Arc<Shared>, cause: &Cancelled) {
    let mut stragglers = own(scope);
    if let Some(background) = scope.background() {
        stragglers.extend(own(&background));
    }
    if stragglers.is_empty() && list(scope).is_empty() {
        foreign::log(|| {
            tracing::warn!(
                scope = scope.name(),
                opened_at = %scope.location,
                since_cancel = ?scope.since_end(),
                cause = %cause,
                "the body of a scope still runs after its context ended",
            );
        });
    }
    log(scope, &stragglers, cause);
}

/// The same for a scope that was dropped.
pub(crate) fn report_own(scope: &Shared, cause: &Cancelled) {
    log(scope, &own(scope), cause);
}

fn log(scope: &Shared, stragglers: &[Straggler], cause: &Cancelled) {
    let scope_name = scope.name();
    let since_cancel = scope.since_end();
    for straggler in stragglers.iter().take(NAMED) {
        foreign::log(|| {
            tracing::warn!(
                scope = scope_name,
                opened_at = %scope.location,
                task = straggler.name(),
                spawned_at = %straggler.location(),
                kind = straggler.kind().as_str(),
                age = ?straggler.age(),
                since_cancel = ?since_cancel,
                cause = %cause,
                "a task still runs after its context ended",
            );
        });
    }
    if stragglers.len() > NAMED {
        foreign::log(|| {
            tracing::warn!(
                scope = scope_name,
                opened_at = %scope.location,
                since_cancel = ?since_cancel,
                "and {} more tasks go on",
                stragglers.len() - NAMED,
            );
        });
    }
}
