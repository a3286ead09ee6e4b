//! The live tree of scopes and tasks, as data and as text.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_ctx_core::{Context, owner};

use crate::data::entry::{Entry, TaskKind};
use crate::face::scope::Scope;
use crate::state::adopt;
use crate::state::shared::Shared;
use crate::sync::{Mutex, global};

/// Scopes nested deeper than this are counted, not shown.
const DEEPEST: usize = 64;

global! {
    /// The scopes that have no scope around them.
    static TOP: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());
}

/// The scopes and tasks that are alive, of the process ([`snapshot`]) or of one scope
/// ([`Scope::snapshot`]).
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
    /// The name it was given, if any.
    pub name: Option<String>,
    /// The line of the call that made it.
    pub opened_at: String,
    /// Why its context ended, if it has.
    pub ended: Option<String>,
    /// Whether its future was dropped, so that the scope shown around it waits for its tasks.
    pub handed_over: bool,
    /// The unfinished tasks.
    pub tasks: Vec<TaskSnapshot>,
    /// The scopes inside, its background among them.
    pub scopes: Vec<ScopeSnapshot>,
}

/// One unfinished task of a [`Snapshot`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, TaskKind, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     s.task().name("fetch").spawn(async |_| Ok::<_, Cancelled>(()));
///     let tree = s.snapshot();
///     assert_eq!(tree.scopes[0].tasks[0].kind, TaskKind::Cooperative);
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskSnapshot {
    /// The name it was given, if any.
    pub name: Option<String>,
    /// The line that spawned it.
    pub spawned_at: String,
    /// How it is run.
    pub kind: TaskKind,
    /// How long it has been running.
    pub age: Duration,
}

/// The live scopes and tasks of the whole process.
///
/// # Examples
///
/// ```
/// assert_eq!(tokio_ctx::snapshot().to_string(), "no live scopes\n");
/// ```
#[must_use]
pub fn snapshot() -> Snapshot {
    let top: Vec<_> = TOP.lock().iter().filter_map(Weak::upgrade).collect();
    let adopted = adopt::current().below();
    let mut seen = HashSet::new();
    // What the root waits for is shown as a scope of its own, outermost.
    let scopes = adopted
        .iter()
        .chain(&top)
        .filter(|scope| !scope.ledger.is_empty())
        .filter_map(|scope| show(scope, 0, &mut seen))
        .collect();
    Snapshot {
        format_version: 1,
        scopes,
    }
}

impl<E> Scope<E> {
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
        let scopes = show(&self.shared, 0, &mut HashSet::new())
            .into_iter()
            .collect();
        Snapshot {
            format_version: 1,
            scopes,
        }
    }
}

/// A scope that was handed on may be below two others; it is shown once.
fn show(
    scope: &Arc<Shared>,
    depth: usize,
    seen: &mut HashSet<*const Shared>,
) -> Option<ScopeSnapshot> {
    if depth > DEEPEST || !seen.insert(Arc::as_ptr(scope)) {
        return None;
    }
    let tasks = scope
        .ledger
        .unfinished()
        .iter()
        .map(TaskSnapshot::of)
        .collect();
    let scopes = scope
        .below()
        .iter()
        .filter(|below| !below.ledger.is_empty())
        .filter_map(|below| show(below, depth + 1, seen))
        .collect();
    Some(ScopeSnapshot {
        name: scope.name().map(ToString::to_string),
        opened_at: scope.location.to_string(),
        ended: scope.context().err().map(|cancelled| cancelled.to_string()),
        handed_over: scope.is_handed_over(),
        tasks,
        scopes,
    })
}

impl TaskSnapshot {
    fn of(entry: &Entry) -> Self {
        Self {
            name: entry.name.as_ref().map(ToString::to_string),
            spawned_at: entry.location.to_string(),
            kind: entry.kind,
            age: entry.age(),
        }
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
            let (kind, age) = (task.kind.as_str(), task.age);
            writeln!(f, "({kind}, {}, running for {age:?})", task.spawned_at)?;
        }
        self.scopes
            .iter()
            .try_for_each(|scope| scope.draw(f, depth + 1))
    }
}

impl Shared {
    /// Puts this scope into the tree, below the scope around it. Called when a
    /// scope really has to wait: one that never waits costs nothing here.
    pub(crate) fn show_in_tree(self: &Arc<Self>, parent: &Context) {
        let around = owner::enclosing(parent).find_map(|owner| owner.downcast::<Shared>().ok());
        if let Some(around) = around {
            return around.add_below(self);
        }
        let mut top = TOP.lock();
        if top.len() == top.capacity() {
            top.retain(|scope| scope.strong_count() > 0);
        }
        top.push(Arc::downgrade(self));
    }
}
