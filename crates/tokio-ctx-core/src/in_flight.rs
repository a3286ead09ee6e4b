//! What is in flight besides tasks, and what ended last. Recorded only once there is a view.
//!
//! Crates that serve requests, connections and queries write them down here, so that a live view
//! depends on none of those crates. Until [`observe`] is called nothing is kept: [`enter`] and
//! [`ended`] are then one load each.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::cancelled::{Cancelled, Reason};
use crate::context::Context;
use crate::value;

/// So many ends are remembered.
const LAST: usize = 100;

/// Entries are spread over so many lists, so that threads rarely wait for each other.
const LISTS: usize = 16;

static OBSERVED: AtomicBool = AtomicBool::new(false);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static FLIGHT: [Mutex<Slab<Arc<Entry>>>; LISTS] = [const { Mutex::new(Slab::new()) }; LISTS];
static ENDS: Mutex<Ends> = Mutex::new(Ends {
    last: VecDeque::new(),
    counts: Vec::new(),
});

/// Something that is in flight.
#[derive(Debug)]
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
            let text = entry.display()?;
            Some(format!("{}={text}", entry.name()))
        };
        let all = || value::visible(&self.ctx.values).filter_map(print).collect();
        // Printing a value is foreign code.
        catch_unwind(AssertUnwindSafe(all)).unwrap_or_default()
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

struct Ends {
    last: VecDeque<End>,
    /// One for each reason that came up, so there are few.
    counts: Vec<(Reason, u64)>,
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
/// dropped. `label` is called only if entries are kept.
///
/// # Examples
///
/// ```standalone_crate
/// use tokio_ctx::Context;
/// use tokio_ctx_core::owner::in_flight;
///
/// let ctx = Context::background();
/// in_flight::observe();
/// let begun = in_flight::enter("query", &ctx, || "select 1".to_owned());
/// let (entries, more) = in_flight::list(10);
/// assert_eq!((entries[0].label.as_str(), more), ("select 1", 0));
/// drop(begun);
/// assert!(in_flight::list(10).0.is_empty());
/// ```
#[must_use = "what is dropped at once is not in flight"]
#[inline]
pub fn enter(kind: &'static str, ctx: &Context, label: impl FnOnce() -> String) -> InFlight {
    match is_observed() {
        false => InFlight { place: None },
        true => InFlight::begin(kind, ctx, label()),
    }
}

/// Ends what [`enter`] wrote down when it is dropped, without a word, or by
/// [`finish`](InFlight::finish).
#[derive(Debug)]
pub struct InFlight {
    place: Option<(usize, usize)>,
}

impl InFlight {
    #[cold]
    fn begin(kind: &'static str, ctx: &Context, label: String) -> InFlight {
        let entry = Arc::new(Entry {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label,
            ctx: ctx.clone(),
            since: Instant::now(),
        });
        let list = list_of_this_thread();
        let index = locked(&FLIGHT[list]).insert(entry);
        InFlight {
            place: Some((list, index)),
        }
    }
}

impl InFlight {
    /// Ends it, and writes the end down with why it ended and the line that stands for it.
    pub fn finish(&mut self, why: &Cancelled, line: &'static Location<'static>) {
        if let Some(entry) = self.take() {
            let at = Instant::now();
            write_end(End {
                id: entry.id,
                kind: entry.kind,
                why: why.clone(),
                line,
                age: Some(at.saturating_duration_since(entry.since)),
                at,
                // Nobody else has it, unless somebody looks right now.
                label: match Arc::try_unwrap(entry) {
                    Ok(entry) => entry.label,
                    Err(shared) => shared.label.clone(),
                },
            });
        }
    }

    fn take(&mut self) -> Option<Arc<Entry>> {
        let (list, index) = self.place.take()?;
        locked(&FLIGHT[list]).try_remove(index)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Its context's values are foreign: dropped outside of the lock.
        drop(self.take());
    }
}

/// At most `limit` entries, oldest first, and how many more there are.
#[must_use]
pub fn list(limit: usize) -> (Vec<Arc<Entry>>, usize) {
    let mut found: Vec<Arc<Entry>> = Vec::new();
    let mut num = 0;
    for list in &FLIGHT {
        let list = locked(list);
        num += list.len();
        let room = limit.saturating_sub(found.len());
        found.extend(list.iter().take(room).map(|(_, entry)| Arc::clone(entry)));
    }
    found.sort_by_key(|entry| entry.id);
    let more = num - found.len().min(num);
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
        write_end(End {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label: label(),
            why: why.clone(),
            line,
            age,
            at: Instant::now(),
        });
    }
}

#[cold]
fn write_end(end: End) {
    let reason = end.why.reason();
    let oldest = {
        let mut ends = locked(&ENDS);
        match ends.counts.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, num)) => *num += 1,
            None => ends.counts.push((reason, 1)),
        }
        let oldest = (ends.last.len() == LAST).then(|| ends.last.pop_front());
        ends.last.push_back(end);
        oldest
    };
    // Its cause is foreign: outside of the lock.
    drop(oldest);
}

/// The last ends, newest first, and how many there were by reason since [`observe`].
#[must_use]
pub fn ends() -> (Vec<End>, Vec<(String, u64)>) {
    let (last, counts) = {
        let ends = locked(&ENDS);
        (
            ends.last.iter().rev().cloned().collect(),
            ends.counts.clone(),
        )
    };
    let named = |(reason, num): (Reason, u64)| (format!("{reason:?}"), num);
    let mut counts: Vec<_> = counts.into_iter().map(named).collect();
    counts.sort();
    (last, counts)
}

fn list_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    std::thread_local! {
        static LIST: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS;
    }
    LIST.try_with(|list| *list).unwrap_or(0)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
