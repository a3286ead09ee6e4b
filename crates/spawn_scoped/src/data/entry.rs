//! What a scope remembers of a task: enough to name it and to abort it.

use std::panic::Location;
use std::sync::Weak;
use std::time::Duration;

use crate::data::text::Name;
use crate::rt::{self, Job, JoinHandle, Stamp, TaskHandle};

/// A place in the source.
pub(crate) type Place = &'static Location<'static>;

/// How a task is run, and so what can be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// It took the context: asked to stop, waited for, and aborted only after
    /// the grace of its scope.
    Cooperative,
    /// It is dropped at its next await when its context ends.
    Cancellable,
    /// It runs on its own thread and can only be asked: nothing can abort
    /// it once it has started.
    Blocking,
}

impl TaskKind {
    /// The word for it in logs and trees.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TaskKind::Cooperative => "cooperative",
            TaskKind::Cancellable => "cancellable",
            TaskKind::Blocking => "blocking",
        }
    }
}

/// What errors and logs say about a task.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: Option<Name>,
    pub(crate) location: Place,
}

impl Who {
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

/// One line of the ledger. Four words: what is small shares one with the tag.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    work: Work,
    pub(crate) who: Who,
}

#[derive(Clone, Debug)]
enum Work {
    Task(TaskKind, Since, TaskHandle),
    Job(Since, Weak<Job>),
}

/// 48 bits of milliseconds, which last for eight thousand years; 0 while the time did not matter
/// yet.
type Since = [u16; 3];

impl Entry {
    #[inline]
    pub(crate) fn new<T>(
        handle: &JoinHandle<T>,
        who: Who,
        kind: TaskKind,
        since: Option<Stamp>,
    ) -> Self {
        let since = since.map_or([0; 3], pack);
        Self {
            work: match handle {
                JoinHandle::Task(task) => Work::Task(kind, since, task.abort_handle()),
                JoinHandle::Job(_, job) => Work::Job(since, job.clone()),
            },
            who,
        }
    }

    pub(crate) fn kind(&self) -> TaskKind {
        match &self.work {
            Work::Task(kind, ..) => *kind,
            Work::Job(..) => TaskKind::Blocking,
        }
    }

    /// Different for each task that is alive.
    pub(crate) fn id(&self) -> u64 {
        match &self.work {
            Work::Task(_, _, task) => rt::id_of(task),
            Work::Job(_, job) => job.as_ptr().addr() as u64,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        match &self.work {
            Work::Task(_, _, task) => task.is_finished(),
            Work::Job(_, job) => job.upgrade().is_none_or(|job| job.is_finished()),
        }
    }

    pub(crate) fn abort(&self) {
        match &self.work {
            Work::Task(_, _, task) => task.abort(),
            // What has begun can only be asked.
            Work::Job(_, job) => {
                job.upgrade().inspect(|job| job.give_up(None));
            }
        }
    }

    /// Spawned no later than `now`, if nothing better is known.
    pub(crate) fn date(&mut self, now: Stamp) {
        let (Work::Task(_, since, _) | Work::Job(since, _)) = &mut self.work;
        if *since == [0; 3] {
            *since = pack(now);
        }
    }

    pub(crate) fn age(&self) -> Duration {
        let (Work::Task(_, since, _) | Work::Job(since, _)) = &self.work;
        let [low, mid, high] = since.map(u64::from);
        match low | mid << 16 | high << 32 {
            0 => Duration::ZERO,
            raw => Stamp(raw).elapsed(),
        }
    }
}

fn pack(Stamp(raw): Stamp) -> Since {
    [raw as u16, (raw >> 16) as u16, (raw >> 32) as u16]
}
