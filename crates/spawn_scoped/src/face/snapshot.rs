//! The live tree of scopes and tasks, as data and as text.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::data::task_snapshot::TaskSnapshot;
use crate::face::spawner::Spawner;
use crate::foreign::text;
use crate::state::shared::Shared;
use crate::state::{adopt, tree};

/// Scopes nested deeper than this are counted, not shown.
const DEEPEST: usize = 64;

/// The scopes and tasks that are alive, of the process ([`snapshot`]) or of one scope
/// ([`Spawner::snapshot`](crate::Spawner::snapshot)).
///
/// A scope that has not yet had to wait is not in the tree: being shown costs nothing until a
/// scope waits. The parts are read one after another while the program goes on, so a task may
/// be missing or finished already.
///
/// `Display` draws it as a tree; with feature `serde` it serializes.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     s.task().name("fetch").spawn(async |_| Ok::<_, Cancelled>(()));
///     let tree = s.snapshot();
///     assert_eq!(tree.scopes[0].tasks[0].name.as_deref(), Some("fetch"));
///     assert!(tree.to_string().contains("task `fetch` (cooperative, "));
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this shape, for programs that read it.
    pub format_version: u32,
    /// The outermost scopes.
    pub scopes: Vec<ScopeSnapshot>,
}

impl Snapshot {
    /// What [`snapshot`] gives, with at most `max_tasks` tasks; the others are counted in
    /// [`more_tasks`](ScopeSnapshot::more_tasks) of their scope.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use tokio_ctx::{Cancelled, Context, Snapshot, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     for _ in 0..3 {
    ///         s.spawn(async |_| Ok::<_, Cancelled>(()));
    ///     }
    ///     tokio::task::yield_now().await; // the scope waits, so it is in the tree
    ///     Ok(())
    /// })
    /// .await?;
    /// assert!(Snapshot::bounded(2).scopes.is_empty()); // by now they are finished
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn bounded(max_tasks: usize) -> Snapshot {
        let mut all = adopt::current().below();
        all.extend(tree::outermost());
        // What the root waits for is shown as a scope of its own, outermost.
        Snapshot::of(Look::new(max_tasks).show_all(&all, 0))
    }

    fn of(scopes: Vec<ScopeSnapshot>) -> Snapshot {
        Snapshot {
            format_version: 1,
            scopes,
        }
    }
}

/// One scope of a [`Snapshot`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let tree = s.snapshot();
///     assert_eq!(tree.scopes[0].ended, None);
///     assert!(tree.scopes[0].opened_at.starts_with(file!()));
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScopeSnapshot {
    /// The name it was given, if any, escaped to one line.
    pub name: Option<String>,
    /// The line of the call that made it.
    pub opened_at: String,
    /// A number that no other scope has while this one is alive.
    pub id: u64,
    /// Why its context ended, if it has.
    pub ended: Option<String>,
    /// The name of the reason, if its context has ended.
    pub reason: Option<String>,
    /// How long ago its tasks were asked to stop, counted from when that was first seen.
    pub asked: Option<Duration>,
    /// What remains of its deadline, if it has one and has not ended.
    pub remaining: Option<Duration>,
    /// Whether its future was dropped, so that the scope shown around it waits for its tasks.
    pub handed_over: bool,
    /// The unfinished tasks.
    pub tasks: Vec<TaskSnapshot>,
    /// How many more there are, where their number is bounded.
    pub more_tasks: usize,
    /// The scopes inside, its background among them.
    pub scopes: Vec<ScopeSnapshot>,
}

/// The live scopes and tasks of the whole process.
///
/// # Examples
///
/// ```standalone_crate
/// assert_eq!(tokio_ctx::snapshot().to_string(), "no live scopes\n");
/// ```
#[must_use]
pub fn snapshot() -> Snapshot {
    Snapshot::bounded(usize::MAX)
}

impl Spawner {
    /// The live tasks and scopes of this scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     assert!(s.snapshot().scopes[0].tasks.is_empty());
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let scopes = Look::new(usize::MAX).show(&self.shared, 0);
        Snapshot::of(scopes.into_iter().collect())
    }
}

/// Says which scope it is without saying where in memory it lies.
fn number_of(scope: &Arc<Shared>) -> u64 {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    let hasher = HASHER.get_or_init(RandomState::new);
    // Programs that read JSON may know no larger whole numbers.
    hasher.hash_one(Arc::as_ptr(scope)) >> 11
}

/// One walk through the tree.
struct Look {
    /// A scope that was handed on may be below two others; it is shown once.
    seen: HashSet<*const Shared>,
    /// How many tasks may still be shown.
    room: usize,
}

impl Look {
    fn new(max_tasks: usize) -> Self {
        Self {
            seen: HashSet::new(),
            room: max_tasks,
        }
    }

    fn show_all(&mut self, scopes: &[Arc<Shared>], depth: usize) -> Vec<ScopeSnapshot> {
        let live = scopes.iter().filter(|scope| !scope.ledger.is_empty());
        live.filter_map(|scope| self.show(scope, depth)).collect()
    }

    fn show(&mut self, scope: &Arc<Shared>, depth: usize) -> Option<ScopeSnapshot> {
        if depth > DEEPEST || !self.seen.insert(Arc::as_ptr(scope)) {
            return None;
        }
        let (tasks, more_tasks) = scope.ledger.unfinished_up_to(self.room);
        self.room -= tasks.len();
        let scopes = self.show_all(&scope.below(), depth + 1);
        let ctx = scope.context();
        let cancelled = ctx.err();
        let ended = cancelled.as_ref();
        Some(ScopeSnapshot {
            name: scope.name().map(str::to_owned),
            opened_at: scope.location.to_string(),
            id: number_of(scope),
            ended: ended.map(|ended| text(|| ended.to_string())),
            reason: ended.map(|cancelled| format!("{:?}", cancelled.reason())),
            asked: ended.map(|_| scope.since_end()),
            remaining: ctx.remaining().filter(|_| ended.is_none()),
            handed_over: scope.is_handed_over(),
            tasks: tasks
                .iter()
                .map(|task| TaskSnapshot::of(task, ended))
                .collect(),
            more_tasks,
            scopes,
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scopes.is_empty() {
            return f.write_str("no live scopes\n");
        }
        self.scopes.iter().try_for_each(|scope| scope.draw(f, 0))
    }
}

impl ScopeSnapshot {
    fn draw(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:indent$}scope ", "", indent = depth * 2)?;
        if let Some(name) = &self.name {
            write!(f, "`{name}` ")?;
        }
        write!(f, "({})", self.opened_at)?;
        if self.handed_over {
            f.write_str(", handed over")?;
        }
        if let Some(ended) = &self.ended {
            write!(f, ", ended: {ended}")?;
        }
        f.write_str("\n")?;
        for task in &self.tasks {
            write!(f, "{:indent$}task ", "", indent = depth * 2 + 2)?;
            if let Some(name) = &task.name {
                write!(f, "`{name}` ")?;
            }
            let (kind, age) = (task.kind, task.age);
            writeln!(f, "({kind}, {}, running for {age:?})", task.spawned_at)?;
        }
        if self.more_tasks > 0 {
            let indent = depth * 2 + 2;
            writeln!(f, "{:indent$}and {} more tasks", "", self.more_tasks)?;
        }
        self.scopes
            .iter()
            .try_for_each(|scope| scope.draw(f, depth + 1))
    }
}
