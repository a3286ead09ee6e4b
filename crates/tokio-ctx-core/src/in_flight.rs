//! What is in flight besides tasks, and what ended last. Recorded only once there is a view.
//!
//! Crates that serve requests, connections and queries write them down here, so that a live view
//! depends on none of those crates. Until [`observe`] is called nothing is kept: [`enter`] and
//! [`ended`] are then one load each.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancelled::{Cancelled, Reason};
use crate::context::Context;
use crate::foreign;
use crate::value;

/// So many ends are remembered.
const LAST: usize = 100;

/// More bytes than that are not kept for the next label.
const MOST_ROOM: usize = 256;

/// Entries are spread over so many lists, so that threads rarely wait for each other.
const LISTS: usize = 16;

static OBSERVED: AtomicBool = AtomicBool::new(false);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static FLIGHT: [Mutex<List>; LISTS] = [const { Mutex::new(List::new()) }; LISTS];
/// Locked behind a list of what is in flight, where both are.
static ENDS: Mutex<Ends> = Mutex::new(Ends {
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
            let text = entry.display()?;
            Some(format!("{}={text}", entry.name()))
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

/// A place for each entry, which is used again with the room of its label: a request that is shown
/// allocates nothing for it.
struct List {
    places: Vec<Place>,
    free: Vec<usize>,
}

struct Place {
    id: u64,
    kind: &'static str,
    label: String,
    /// `None` where nothing is in flight.
    ctx: Option<Context>,
    since: Instant,
}

impl List {
    const fn new() -> List {
        List {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    fn num(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The room of a label that is not used any more, if there is one.
    fn take_spare_text(&mut self) -> String {
        let last = self.free.last();
        last.map(|&index| std::mem::take(&mut self.places[index].label))
            .unwrap_or_default()
    }

    fn put(&mut self, place: Place) -> usize {
        match self.free.pop() {
            Some(index) => {
                self.places[index] = place;
                index
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.places.iter().filter_map(|place| {
            Some(Entry {
                id: place.id,
                kind: place.kind,
                label: place.label.clone(),
                ctx: place.ctx.clone()?,
                since: place.since,
            })
        })
    }
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
        false => InFlight { place: None },
        true => InFlight::begin(kind, ctx, label),
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
    fn begin(kind: &'static str, ctx: &Context, label: impl FnOnce(&mut String)) -> InFlight {
        let number = list_of_this_thread();
        let mut text = locked(&FLIGHT[number]).take_spare_text();
        // Foreign: outside of the lock, and before there is anything to be taken back.
        label(&mut text);
        let place = Place {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label: text,
            ctx: Some(ctx.clone()),
            since: Instant::now(),
        };
        let index = locked(&FLIGHT[number]).put(place);
        InFlight {
            place: Some((number, index)),
        }
    }

    /// Ends it, and writes the end down with why `ctx`, its context, ended and the line that
    /// stands for it. Nothing is written of a context that has not ended.
    #[inline]
    pub fn finish(&mut self, ctx: &Context, line: &'static Location<'static>) {
        if self.place.is_none() {
            return;
        }
        if let Some(why) = ctx.err() {
            self.finish_with(why, line);
        }
    }

    #[cold]
    fn finish_with(&mut self, why: Cancelled, line: &'static Location<'static>) {
        self.leave(|place| {
            let at = Instant::now();
            let end = End {
                id: place.id,
                kind: place.kind,
                label: String::new(),
                why,
                line,
                age: Some(at.saturating_duration_since(place.since)),
                at,
            };
            write_end(end, &place.label)
        });
    }

    /// Frees its place, after a last look at it.
    fn leave<T>(&mut self, look: impl FnOnce(&Place) -> T) {
        let Some((number, index)) = self.place.take() else {
            return;
        };
        let (ctx, looked) = {
            let mut list = locked(&FLIGHT[number]);
            let list = &mut *list;
            let place = &mut list.places[index];
            let looked = look(place);
            place.label.clear();
            place.label.shrink_to(MOST_ROOM);
            list.free.push(index);
            (place.ctx.take(), looked)
        };
        // Values of contexts and causes are foreign: dropped outside of the lock.
        foreign::discard((ctx, looked));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.leave(|_| ());
    }
}

/// At most `limit` entries, oldest first, and how many more there are.
#[must_use]
pub fn list(limit: usize) -> (Vec<Entry>, usize) {
    let mut found: Vec<Entry> = Vec::new();
    let mut num = 0;
    for list in &FLIGHT {
        let list = locked(list);
        num += list.num();
        let room = limit.saturating_sub(found.len());
        found.extend(list.entries().take(room));
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
        let end = End {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind,
            label: String::new(),
            why: why.clone(),
            line,
            age,
            at: Instant::now(),
        };
        // Its cause is foreign: outside of the lock.
        foreign::discard(write_end(end, &label()));
    }
}

/// Writes down `end` with `label`, for which it takes the room of the oldest one. That one is
/// returned, for the caller to drop.
#[cold]
fn write_end(mut end: End, label: &str) -> Option<End> {
    let reason = end.why.reason();
    let mut ends = locked(&ENDS);
    match ends.counts.iter_mut().find(|(other, _)| *other == reason) {
        Some((_, num)) => *num += 1,
        None => ends.counts.push((reason, 1)),
    }
    let mut oldest = match ends.last.len() {
        LAST => ends.last.pop_front(),
        _ => None,
    };
    if let Some(oldest) = &mut oldest {
        end.label = std::mem::take(&mut oldest.label);
        end.label.clear();
        end.label.shrink_to(MOST_ROOM);
    }
    end.label.push_str(label);
    ends.last.push_back(end);
    oldest
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
