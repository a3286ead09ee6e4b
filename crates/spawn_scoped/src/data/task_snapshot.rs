//! An unfinished task, as data: [`TaskSnapshot`].

use std::fmt;
use std::time::Duration;

use tokio_ctx_core::Cancelled;

use crate::data::entry::{Entry, TaskKind};
use crate::foreign::text;

/// An unfinished task: of a [`Snapshot`](crate::Snapshot), or one that a scope still waits for.
///
/// `Display` is a line for people; with feature `serde` it serializes.
///
/// # Examples
///
/// ```standalone_crate
/// use std::time::Duration;
/// use tokio_ctx::{Cancelled, Context, root, scope};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let ctx = Context::background();
/// let stubborn = scope(&ctx, async |s| {
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
/// assert_eq!(stragglers[0].name.as_deref(), Some("stubborn"));
/// assert!(stragglers[0].spawned_at.starts_with(file!()));
/// assert_eq!(stragglers[0].kind, "cooperative");
/// assert_eq!(stragglers[0].age, Duration::from_secs(3));
/// assert!(stragglers[0].ended.as_deref().unwrap().contains("its scope was dropped"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskSnapshot {
    /// A number that no other task has while this one is alive.
    pub id: u64,
    /// The name it was given, if any, escaped to one line.
    pub name: Option<String>,
    /// The line that spawned it.
    pub spawned_at: String,
    /// How it is run: `cooperative` tasks are asked to stop, `cancellable` ones are dropped at
    /// their next await, and `blocking` ones are on a thread of their own.
    pub kind: &'static str,
    /// How long it has been running.
    pub age: Duration,
    /// Whether a grace could end it. A blocking task can only be asked.
    pub can_be_aborted: bool,
    /// Why the context of its scope ended, if it has.
    pub ended: Option<String>,
}

impl TaskSnapshot {
    pub(crate) fn of(entry: &Entry, ended: Option<&Cancelled>) -> Self {
        Self {
            id: entry.id(),
            name: entry.who.name().map(str::to_owned),
            spawned_at: entry.who.location.to_string(),
            kind: entry.kind().as_str(),
            age: entry.age(),
            can_be_aborted: entry.kind() != TaskKind::Blocking,
            ended: ended.map(|ended| text(|| ended.to_string())),
        }
    }
}

impl fmt::Display for TaskSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task ")?;
        if let Some(name) = &self.name {
            write!(f, "`{name}` ")?;
        }
        write!(f, "(spawned at {}, {:?} ago", self.spawned_at, self.age)?;
        if !self.can_be_aborted {
            f.write_str(", blocking: cannot be aborted")?;
        }
        f.write_str(")")?;
        match &self.ended {
            Some(ended) => write!(f, " still runs after: {ended}"),
            None => Ok(()),
        }
    }
}
