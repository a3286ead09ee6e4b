//! What is alive, by kind, and where it was made.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a task captured.
    Task,
    /// A callback that its context keeps: alive as long as the context's node is.
    Node,
    /// A callback of a context with a deadline.
    Timer,
    /// A callback of a context that gave its token away.
    Token,
    /// A value of a context, a cause, or what a clean-up captured.
    Value,
}

const NAMES: [(Kind, &str); 5] = [
    (Kind::Task, "tasks"),
    (Kind::Node, "nodes"),
    (Kind::Timer, "timers"),
    (Kind::Token, "tokens"),
    (Kind::Value, "values"),
];

type Things = BTreeMap<u64, (Kind, &'static Location<'static>)>;

#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<(u64, Things)>>);

impl Live {
    fn locked(&self) -> MutexGuard<'_, (u64, Things)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.locked().1.len()
    }

    pub(crate) fn num(&self, kind: Kind) -> usize {
        let things = &self.locked().1;
        things.values().filter(|(other, _)| *other == kind).count()
    }

    #[track_caller]
    pub(crate) fn token(&self, kind: Kind) -> LiveToken {
        let mut things = self.locked();
        things.0 += 1;
        let id = things.0;
        things.1.insert(id, (kind, Location::caller()));
        LiveToken(self.clone(), id)
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, name)) in NAMES.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let num = self.num(*kind);
            write!(f, "{comma}{num} {name}")?;
        }
        for (_, place) in self.locked().1.values().take(10) {
            write!(f, "\n  made at {place}")?;
        }
        Ok(())
    }
}

/// One live thing.
pub(crate) struct LiveToken(Live, u64);

impl Drop for LiveToken {
    fn drop(&mut self) {
        self.0.locked().1.remove(&self.1);
    }
}
