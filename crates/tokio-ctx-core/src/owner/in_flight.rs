//! What is in flight besides tasks, and what ended last. Recorded only once there is a view.
//!
//! Crates that serve requests, connections and queries write them down here, so that a live view
//! depends on none of those crates. Until [`observe`] is called nothing is kept: [`enter`] and
//! [`ended`] are then one load each.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::cancelled::{Cancelled, Reason};
use crate::context::Context;
use crate::foreign;
use crate::value;

/// So many ends are remembered.
const LAST: usize = 100;

/// More bytes than that are not kept for the next label.
const MOST_ROOM: usize = 256;

static OBSERVED: AtomicBool = AtomicBool::new(false);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static KEPT: Mutex<Kept> = Mutex::new(Kept {
    flight: Slab::new(),
    spare: Vec::new(),
    last: VecDeque::new(),
    counts: Vec::new(),
});

/// Something that is in flight.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Different for each entry of the process.
    pub id: u64,
    /// What it is: `request`, `upgrade`, `query` or `interrupt`.
    pub kind: &'static str,
    /// Its name, for people: a method and a path, an address.
    pub label: String,
    /// The context it runs under.
    pub ctx: Context,
    /// When it began.
    pub since: Instant,
}

impl Entry {
    /// The values of its context whose keys may be printed, as `Key=value`.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let print = |entry: &dyn value::Entry| {
            let (name, text) = entry.shown();
            Some(format!("{name}={}", text?))
        };
        let all = || value::visible(&self.ctx.values).filter_map(print).collect();
        foreign::quietly(all).unwrap_or_default()
    }
}

/// Something that has ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Different for each end of the process.
    pub id: u64,
    /// What it was: as in [`Entry::kind`], or `scope`.
    pub kind: &'static str,
    /// Its name, for people.
    pub label: String,
    /// Why it ended.
    pub why: Cancelled,
    /// The line that made it.
    pub line: &'static Location<'static>,
    /// How long it lasted, if that was measured.
    pub age: Option<Duration>,
    /// When it ended.
    pub at: Instant,
}

struct Kept {
    flight: Slab<Entry>,
    /// Labels that are not used any more, for their room: a request that is shown allocates nothing
    /// for it.
    spare: Vec<String>,
    last: VecDeque<End>,
    /// One for each reason that came up, so there are few.
    counts: Vec<(Reason, u64)>,
}

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// Keeps the room of a label.
    fn spare(&mut self, mut label: String) {
        if label.capacity() <= MOST_ROOM {
            label.clear();
            self.spare.push(label);
        }
    }

    /// Writes down an end. The oldest one is returned, for the caller to drop.
    fn end(&mut self, end: End) -> Option<End> {
        let reason = end.why.reason();
        match self.counts.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, num)) => *num += 1,
            None => self.counts.push((reason, 1)),
        }
        let is_full = self.last.len() == LAST;
        let mut oldest = is_full.then(|| self.last.pop_front()).flatten();
        if let Some(oldest) = &mut oldest {
            self.spare(std::mem::take(&mut oldest.label));
        }
        self.last.push_back(end);
        oldest
    }
}

/// From now on entries and ends are kept. There is no way back, and calling it again is free.
pub fn observe() {
    OBSERVED.store(true, Ordering::Relaxed);
}

/// Whether entries and ends are kept.
#[must_use]
#[inline]
pub fn is_observed() -> bool {
    OBSERVED.load(Ordering::Relaxed)
}

/// Writes down something that begins; it is in flight until the value that is returned is
/// dropped. `label` writes its name, and is called only if entries are kept.
///
/// # Examples
///
/// ```standalone_crate
/// use tokio_ctx::Context;
/// use tokio_ctx_core::owner::in_flight;
///
/// let ctx = Context::background();
/// in_flight::observe();
/// let begun = in_flight::enter("query", &ctx, |label| label.push_str("select 1"));
/// let (entries, more) = in_flight::list(10);
/// assert_eq!((entries[0].label.as_str(), more), ("select 1", 0));
/// drop(begun);
/// assert!(in_flight::list(10).0.is_empty());
/// ```
#[must_use = "what is dropped at once is not in flight"]
#[inline]
pub fn enter(kind: &'static str, ctx: &Context, label: impl FnOnce(&mut String)) -> InFlight {
    match is_observed() {
        false => InFlight { key: None },
        true => InFlight::begin(kind, ctx, label),
    }
}

/// Ends what [`enter`] wrote down when it is dropped, without a word, or by
/// [`finish`](InFlight::finish).
#[derive(Debug)]
pub struct InFlight {
    key: Option<usize>,
}

impl InFlight {
    #[cold]
    fn begin(kind: &'static str, ctx: &Context, label: impl FnOnce(&mut String)) -> InFlight {
        let mut text = kept().spare.pop().unwrap_or_default();
        // Foreign: outside of the lock, and before there is anything to be taken back.
        label(&mut text);
        let entry = Entry {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label: text,
            ctx: ctx.clone(),
            since: Instant::now(),
        };
        let key = kept().flight.insert(entry);
        InFlight { key: Some(key) }
    }

    /// Ends it, and writes the end down with why `ctx`, its context, ended and the line that
    /// stands for it. Nothing is written of a context that has not ended.
    #[inline]
    pub fn finish(&mut self, ctx: &Context, line: &'static Location<'static>) {
        if let Some(why) = self.key.and_then(|_| ctx.err()) {
            self.leave(Some((why, line)));
        }
    }

    #[cold]
    fn leave(&mut self, end: Option<(Cancelled, &'static Location<'static>)>) {
        let Some(key) = self.key.take() else {
            return;
        };
        let at = Instant::now();
        let gone = {
            let mut kept = kept();
            let entry = kept.flight.remove(key);
            let oldest = match end {
                Some((why, line)) => kept.end(End {
                    id: entry.id,
                    kind: entry.kind,
                    label: entry.label,
                    why,
                    line,
                    age: Some(at.saturating_duration_since(entry.since)),
                    at,
                }),
                None => {
                    kept.spare(entry.label);
                    None
                }
            };
            (entry.ctx, oldest)
        };
        // Values of contexts and causes are foreign: dropped outside of the lock.
        foreign::discard(gone);
    }
}

impl Drop for InFlight {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_some() {
            self.leave(None);
        }
    }
}

/// At most `limit` entries, oldest first, and how many more there are.
#[must_use]
pub fn list(limit: usize) -> (Vec<Entry>, usize) {
    let kept = kept();
    let entries = kept.flight.iter().take(limit);
    let mut found: Vec<Entry> = entries.map(|(_, entry)| entry.clone()).collect();
    let more = kept.flight.len() - found.len();
    drop(kept);
    found.sort_by_key(|entry| entry.id);
    (found, more)
}

/// Writes down an end, if ends are kept. `label` is called only then.
#[inline]
pub fn ended(
    kind: &'static str,
    why: &Cancelled,
    line: &'static Location<'static>,
    age: Option<Duration>,
    label: impl FnOnce() -> String,
) {
    if is_observed() {
        let end = End {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label: label(),
            why: why.clone(),
            line,
            age,
            at: Instant::now(),
        };
        let oldest = kept().end(end);
        // Its cause is foreign: outside of the lock.
        foreign::discard(oldest);
    }
}

/// The last ends, newest first, and how many there were by reason since [`observe`].
#[must_use]
pub fn ends() -> (Vec<End>, Vec<(String, u64)>) {
    let (last, counts) = {
        let kept = kept();
        (
            kept.last.iter().rev().cloned().collect(),
            kept.counts.clone(),
        )
    };
    let named = |(reason, num): (Reason, u64)| (format!("{reason:?}"), num);
    let mut counts: Vec<_> = counts.into_iter().map(named).collect();
    counts.sort();
    (last, counts)
}
