//! What a context prints: where it comes from, on one line, and no value that did not opt in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cancelled::Place;
use crate::context::Context;
use crate::node::{Extra, Node};
use crate::one_line::OneLine;
use crate::sync::clock;
use crate::value::{self, Entry};

/// Steps that are printed of each chain; of a longer one, the nearest.
const MOST: usize = 16;

/// For example `background > cancel(src/api.rs:40) > deadline(in 240ms, src/db.rs:12) >
/// value(TraceId)`, and behind it, of one that has ended, why: `[cancelled: quota (at
/// src/api.rs:52:9)]`.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, more) = nearest(std::iter::successors(self.lifetime.as_ref(), |node| {
            node.first_parent()
        }));
        let is_root =
            |node: &&Arc<Node>| matches!(node.extra(), Some(Extra::Todo | Extra::Foreign));
        let from = if more {
            "background > …"
        } else {
            "background"
        };
        let mut separator = match nodes.last().is_some_and(is_root) && !more {
            true => "",
            false => {
                f.write_str(from)?;
                " > "
            }
        };
        for node in nodes.iter().rev() {
            f.write_str(separator)?;
            write_step(f, node)?;
            separator = " > ";
        }
        let (entries, more) = nearest(value::visible(&self.values));
        if more {
            f.write_str(" > …")?;
        }
        for entry in entries.iter().rev() {
            write_value(f, *entry)?;
        }
        match &self.lifetime {
            Some(node) => write_end(f, node),
            None => Ok(()),
        }
    }
}

/// At most [`MOST`] items, and whether there are more.
fn nearest<T>(mut items: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let nearest: Vec<T> = items.by_ref().take(MOST).collect();
    let more = nearest.len() == MOST && items.next().is_some();
    (nearest, more)
}

fn write_step(f: &mut fmt::Formatter<'_>, node: &Arc<Node>) -> fmt::Result {
    let line = |at: Place| format!("{}:{}", at.file(), at.line());
    let what = match node.extra() {
        Some(Extra::Name(name)) => return write!(f, "named({name:?})"),
        Some(Extra::Merge(merge)) => {
            let [_, other] = &merge.direct;
            let (line, other) = (line(node.made_at), line(other.made_at));
            return write!(f, "merge({line}, with {other})");
        }
        Some(Extra::Todo) => "todo",
        Some(Extra::Shield(_)) => "shield",
        Some(Extra::Foreign) => "token",
        Some(Extra::Owner(_)) => "scope",
        Some(Extra::Cause(_)) | None if node.is_deadline() => {
            let now = clock::now();
            match node.deadline.checked_sub(now) {
                Some(left) if left > 0 => write!(f, "deadline(in {:?}, ", rounded(left))?,
                _ => write!(f, "deadline({:?} ago, ", rounded(now - node.deadline))?,
            }
            return write!(f, "{})", line(node.made_at));
        }
        Some(Extra::Cause(_)) | None => "cancel",
    };
    write!(f, "{what}({})", line(node.made_at))
}

/// Only reads: printing a context wakes no task.
fn write_end(f: &mut fmt::Formatter<'_>, node: &Arc<Node>) -> fmt::Result {
    if !node.is_ended() {
        return Ok(());
    }
    match node.stored_outcome() {
        Some(cancelled) => write!(f, " [{cancelled}]"),
        None => f.write_str(" [ended]"),
    }
}

/// To a unit that people read, without the microseconds of a second.
fn rounded(nanos: u64) -> Duration {
    let unit = match nanos {
        0..1_000_000 => 1_000,
        1_000_000..10_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    Duration::from_nanos(nanos / unit * unit)
}

fn write_value(f: &mut fmt::Formatter<'_>, entry: &dyn Entry) -> fmt::Result {
    match entry.display() {
        Some(value) => write!(f, " > value({}={})", entry.name(), OneLine(value)),
        None => write!(f, " > value({})", entry.name()),
    }
}
