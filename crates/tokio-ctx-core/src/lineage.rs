//! What a context prints: where it comes from, on one line, and no value that did not opt in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cancelled::Place;
use crate::context::Context;
use crate::node::{Extra, Node};
use crate::one_line::OneLine;
use crate::sync::clock;
use crate::value;

/// Steps that are printed of each chain; of a longer one, the nearest.
const MOST: usize = 16;

/// For example `background > cancel(src/api.rs:40) > deadline(in 240ms, src/db.rs:12) >
/// value(TraceId)`, and behind it, of one that has ended, why: `[cancelled: quota (at
/// src/api.rs:52:9)]`.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = std::iter::successors(self.lifetime.as_ref(), |node| node.first_parent());
        let (nodes, more) = nearest(nodes);
        let is_root = |node: &Arc<Node>| matches!(node.extra(), Some(Extra::Todo | Extra::Foreign));
        let mut steps: Vec<String> = nodes.iter().rev().map(|node| step(node)).collect();
        if more {
            steps.insert(0, "background > …".to_owned());
        } else if !nodes.last().is_some_and(|node| is_root(node)) {
            steps.insert(0, "background".to_owned());
        }
        f.write_str(&steps.join(" > "))?;
        let (entries, more) = nearest(value::visible(&self.values));
        if more {
            f.write_str(" > …")?;
        }
        for entry in entries.iter().rev() {
            match entry.shown() {
                (name, Some(value)) => write!(f, " > value({name}={})", OneLine(value))?,
                (name, None) => write!(f, " > value({name})")?,
            }
        }
        // Only reads: printing a context wakes no task.
        match self.lifetime.as_ref().filter(|node| node.is_ended()) {
            None => Ok(()),
            Some(node) => match node.stored_outcome() {
                Some(cancelled) => write!(f, " [{cancelled}]"),
                None => f.write_str(" [ended]"),
            },
        }
    }
}

/// At most [`MOST`] items, and whether there are more.
fn nearest<T>(mut items: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let nearest: Vec<T> = items.by_ref().take(MOST).collect();
    let more = nearest.len() == MOST && items.next().is_some();
    (nearest, more)
}

fn step(node: &Arc<Node>) -> String {
    let line = |at: Place| format!("{}:{}", at.file(), at.line());
    let made_at = line(node.made_at);
    match node.extra() {
        Some(Extra::Name(name)) => format!("named({name:?})"),
        Some(Extra::Merge(merge)) => {
            let other = line(merge.direct[1].made_at);
            format!("merge({made_at}, with {other})")
        }
        Some(Extra::Todo) => format!("todo({made_at})"),
        Some(Extra::Shield(_)) => format!("shield({made_at})"),
        Some(Extra::Foreign) => format!("token({made_at})"),
        Some(Extra::Owner(_)) => format!("scope({made_at})"),
        Some(Extra::Cause(_)) | None if node.is_deadline() => {
            let now = clock::now();
            match node.deadline.checked_sub(now) {
                Some(left) if left > 0 => format!("deadline(in {:?}, {made_at})", rounded(left)),
                _ => format!(
                    "deadline({:?} ago, {made_at})",
                    rounded(now - node.deadline)
                ),
            }
        }
        Some(Extra::Cause(_)) | None => format!("cancel({made_at})"),
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
