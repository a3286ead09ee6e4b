//! What is shown: one snapshot of the process, as data.

use std::time::{Duration, Instant};

use serde::Serialize;
use spawn_scoped::{ScopeSnapshot, TaskSnapshot};
use tokio_ctx_core::owner::{in_flight, one_line};

/// So much that is in flight is shown; the rest is counted.
const MAX_IN_FLIGHT: usize = 1_000;

/// Every text in here is escaped and on one line.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    format_version: u32,
    pub(crate) process: String,
    /// For how long a view has been mounted.
    pub(crate) up_ms: Option<u64>,
    /// Tasks that go on after their context ended, the longest asked first.
    pub(crate) stuck: Vec<Stuck>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) num_tasks: usize,
    pub(crate) more_tasks: usize,
    pub(crate) in_flight: Vec<Flight>,
    pub(crate) more_in_flight: usize,
    /// The newest first.
    pub(crate) ends: Vec<End>,
    pub(crate) counts: Vec<Count>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Stuck {
    #[serde(flatten)]
    pub(crate) task: Task,
    pub(crate) asked_ms: u64,
    pub(crate) cause: String,
    pub(crate) reason: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Scope {
    id: u64,
    pub(crate) name: Option<String>,
    pub(crate) opened_at: String,
    pub(crate) ended: Option<String>,
    reason: Option<String>,
    pub(crate) handed_over: bool,
    pub(crate) remaining_ms: Option<u64>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) more_tasks: usize,
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Task {
    id: u64,
    pub(crate) name: Option<String>,
    pub(crate) spawned_at: String,
    pub(crate) kind: &'static str,
    pub(crate) age_ms: u64,
    pub(crate) can_be_aborted: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Flight {
    id: u64,
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) age_ms: u64,
    pub(crate) remaining_ms: Option<u64>,
    pub(crate) values: Vec<String>,
    pub(crate) ended: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct End {
    id: u64,
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) why: String,
    reason: String,
    pub(crate) line: String,
    pub(crate) age_ms: Option<u64>,
    pub(crate) ago_ms: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) reason: String,
    pub(crate) num: u64,
}

impl Report {
    pub(crate) fn now(max_tasks: usize, mounted: Option<Instant>) -> Report {
        let snapshot = spawn_scoped::Snapshot::bounded(max_tasks);
        let mut stuck = Vec::new();
        let scopes: Vec<Scope> = snapshot
            .scopes
            .iter()
            .map(|scope| Scope::of(scope, &mut stuck))
            .collect();
        stuck.sort_by_key(|stuck: &Stuck| std::cmp::Reverse(stuck.asked_ms));
        let (flight, more_in_flight) = in_flight::list(MAX_IN_FLIGHT);
        let (ends, counts) = in_flight::ends();
        Report {
            format_version: 1,
            process: process(),
            up_ms: mounted.map(|mounted| millis(mounted.elapsed())),
            stuck,
            num_tasks: scopes.iter().map(Scope::num_tasks).sum(),
            more_tasks: scopes.iter().map(Scope::num_more).sum(),
            scopes,
            in_flight: flight.iter().map(Flight::of).collect(),
            more_in_flight,
            ends: ends.iter().map(End::of).collect(),
            counts: counts
                .into_iter()
                .map(|(reason, num)| Count { reason, num })
                .collect(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.scopes.is_empty() && self.in_flight.is_empty()
    }
}

impl Scope {
    fn of(scope: &ScopeSnapshot, stuck: &mut Vec<Stuck>) -> Scope {
        let tasks: Vec<Task> = scope.tasks.iter().map(Task::of).collect();
        let ended = scope.ended.as_deref().map(escaped);
        if let Some(cause) = &ended {
            let asked_ms = scope.asked.map_or(0, millis);
            stuck.extend(tasks.iter().map(|task| Stuck {
                task: task.clone(),
                asked_ms: asked_ms.min(task.age_ms),
                cause: cause.clone(),
                reason: scope.reason.clone().unwrap_or_default(),
            }));
        }
        let scopes = scope.scopes.iter();
        Scope {
            id: scope.id,
            name: scope.name.as_deref().map(escaped),
            opened_at: escaped(&scope.opened_at),
            reason: scope.reason.clone(),
            ended,
            handed_over: scope.handed_over,
            remaining_ms: scope.remaining.map(millis),
            tasks,
            more_tasks: scope.more_tasks,
            scopes: scopes.map(|scope| Scope::of(scope, stuck)).collect(),
        }
    }

    fn num_tasks(&self) -> usize {
        self.tasks.len() + self.more_tasks + self.scopes.iter().map(Scope::num_tasks).sum::<usize>()
    }

    fn num_more(&self) -> usize {
        self.more_tasks + self.scopes.iter().map(Scope::num_more).sum::<usize>()
    }
}

impl Task {
    fn of(task: &TaskSnapshot) -> Task {
        Task {
            id: task.id,
            name: task.name.as_deref().map(escaped),
            spawned_at: escaped(&task.spawned_at),
            kind: task.kind,
            age_ms: millis(task.age),
            can_be_aborted: task.can_be_aborted,
        }
    }
}

impl Flight {
    fn of(entry: &in_flight::Entry) -> Flight {
        Flight {
            id: entry.id,
            kind: entry.kind,
            label: escaped(&entry.label),
            age_ms: millis(entry.since.elapsed()),
            remaining_ms: entry.ctx.remaining().map(millis),
            values: entry.values().iter().map(|value| escaped(value)).collect(),
            ended: entry.ctx.err().map(|why| escaped(&why.to_string())),
        }
    }
}

impl End {
    fn of(end: &in_flight::End) -> End {
        let line = escaped(&end.line.to_string());
        // A scope without a name is known by its line.
        let label = match end.label.as_str() {
            "" => line.clone(),
            label => escaped(label),
        };
        End {
            id: end.id,
            kind: end.kind,
            label,
            why: escaped(&end.why.to_string()),
            reason: format!("{:?}", end.why.reason()),
            line,
            age_ms: end.age.map(millis),
            ago_ms: millis(end.at.elapsed()),
        }
    }
}

fn escaped(text: &str) -> String {
    one_line(text).to_string()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn process() -> String {
    let name = std::env::args_os().next();
    let name = name.as_deref().map(std::path::Path::new);
    let name = name.and_then(|path| path.file_name());
    let name = name.map_or_else(|| "?".into(), |name| name.to_string_lossy());
    escaped(&format!("{name} ({})", std::process::id()))
}
