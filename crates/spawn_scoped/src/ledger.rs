//! The ledger of a scope: who is still inside, and who is told when the last
//! one leaves. No runtime, no context and no error type in here.
//!
//! # Invariants
//!
//! 1. **Counted before it exists.** A ticket is counted before the work it
//!    stands for can run: the body's from birth, a task's before it is
//!    spawned, an adopted scope's before it is handed over.
//! 2. **Counted until it is gone.** A ticket falls only after the future, the
//!    captures and the context of its work are dropped.
//! 3. **Zero is final.** The count never leaves zero: whoever does not hold a
//!    ticket enters with an increment that refuses zero. Zero is the closed bit.
//! 4. **One closes.** Whoever takes the count to zero locks the book, sets
//!    `empty` and takes the waiter; nobody else ever does. The waiter is woken
//!    or dropped after the lock is gone.
//! 5. **No exit is missed.** `empty` is read and the waiter is written under
//!    one lock, by the join and by the hand-over alike. A waiter stored after
//!    `empty` is impossible.
//! 6. **Nothing foreign under the lock.** Wakers, parents' tickets and swept
//!    entries are cloned, woken and dropped outside it.
//! 7. **Abort reaches everybody.** `aborting` and the entries share the lock:
//!    an entry written after the abort is aborted by its writer.
//!
//! There is one lock, so there is no lock order; dropping a parent's ticket
//! takes the parent's lock, which is why invariant 6 forbids it under ours.

use std::task::{Poll, Waker};

use crate::entry::Entry;
use crate::rt::Stamp;
use crate::sync::{Count, Hint, Mutex, MutexGuard};

/// Lists shorter than this are never swept.
const SWEEP_FROM: usize = 64;

/// The ledger. `P` is a ticket of another ledger, held as its waiter by one
/// that was handed over.
///
/// In the order of its fields, with the count first: whoever gives back a ticket gives back a
/// reference to the scope as well, and finds both counts in one line of the cache.
#[repr(C)]
pub(crate) struct Ledger<P> {
    /// The body, the tasks, and the scopes taken over.
    tickets: Count,
    /// A leaver that finds this many left sweeps, so that a burst of tasks is
    /// not remembered by a scope that spawns no more. 0 for never.
    sweep_when_left: Hint,
    book: Mutex<Book<P>>,
}

/// Guarded by the ledger's only lock.
struct Book<P> {
    /// Set once, by whoever took the count to zero.
    empty: bool,
    /// Set once, when the grace is over.
    aborting: bool,
    /// `None` until a join waits or the scope is handed over; never set once
    /// `empty` is.
    waiter: Waiter<P>,
    /// One per spawned task, finished ones included until the next sweep.
    entries: Vec<Entry>,
    /// When the entries without a date were spawned at the latest, once that
    /// matters.
    undated: Option<Stamp>,
    /// The length at which the next spawn looks for finished entries; 0 once
    /// `aborting`, so that each spawn does more than write.
    sweep_at: usize,
}

/// Who is told that the last one left.
#[derive(Debug)]
pub(crate) enum Waiter<P> {
    None,
    Wake(Waker),
    Parent(P),
}

impl<P> Ledger<P> {
    /// A ledger with one ticket already counted: the body's (invariant 1).
    pub(crate) fn new() -> Self {
        Self {
            tickets: Count::new(1),
            book: Mutex::new(Book {
                empty: false,
                aborting: false,
                waiter: Waiter::None,
                entries: Vec::new(),
                undated: None,
                sweep_at: SWEEP_FROM,
            }),
            sweep_when_left: Hint::new(0),
        }
    }

    /// Counts one more, for somebody who knows that a ticket is being held.
    pub(crate) fn enter_from_inside(&self) {
        self.tickets.add();
    }

    /// Counts one more unless the last one has left (invariant 3).
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        self.tickets.add_unless_zero()
    }

    /// Gives one ticket back. The caller wakes or drops what it is given,
    /// holding no lock.
    #[must_use = "the waiter must be woken or dropped"]
    #[inline]
    pub(crate) fn leave(&self) -> Waiter<P> {
        let left = self.tickets.sub();
        // The hint is 0 where nothing is swept.
        if left > 0 && left != self.sweep_when_left.get() {
            return Waiter::None;
        }
        self.left_at_mark(left)
    }

    #[cold]
    #[inline(never)]
    fn left_at_mark(&self, left: usize) -> Waiter<P> {
        if left == 0 {
            // Invariant 4: only one of us ever gets here.
            let mut book = self.book.lock();
            book.empty = true;
            return std::mem::replace(&mut book.waiter, Waiter::None);
        }
        drop(self.sweep());
        Waiter::None
    }

    /// The list, which is of no more use, once the last one has left; `waker` is
    /// woken when that happens. The caller drops the list.
    pub(crate) fn poll_empty(&self, waker: &Waker) -> Poll<Vec<Entry>> {
        {
            let mut book = self.book.lock();
            match &book.waiter {
                _ if book.empty => return Poll::Ready(std::mem::take(&mut book.entries)),
                Waiter::Wake(known) if known.will_wake(waker) => return Poll::Pending,
                _ => {}
            }
        }
        // Invariant 6: cloning a waker runs its owner's code.
        let mine = waker.clone();
        let _old = {
            let mut book = self.book.lock();
            // Invariant 5: `empty` is asked again under the lock that writes.
            if book.empty {
                let entries = std::mem::take(&mut book.entries);
                drop(book);
                drop(mine);
                return Poll::Ready(entries);
            }
            std::mem::replace(&mut book.waiter, Waiter::Wake(mine))
        };
        Poll::Pending
    }

    /// Makes `parent` wait for the last one in place of the join. Given back
    /// when there is nobody left to wait for.
    #[must_use = "a ticket that is given back must be dropped outside the lock"]
    pub(crate) fn hand_over(&self, parent: P) -> Option<P> {
        let _old = {
            let mut book = self.book.lock();
            // Invariant 5.
            if book.empty {
                drop(book);
                return Some(parent);
            }
            std::mem::replace(&mut book.waiter, Waiter::Parent(parent))
        };
        None
    }

    /// Writes down a task. Sweeps when enough of the list may be finished.
    #[inline]
    pub(crate) fn write(&self, entry: Entry) {
        let mut book = self.book.lock();
        if book.entries.len() < book.sweep_at && book.entries.len() < book.entries.capacity() {
            book.entries.push(entry);
            return;
        }
        self.write_and_tidy(book, entry);
    }

    #[cold]
    #[inline(never)]
    fn write_and_tidy(&self, mut book: MutexGuard<'_, Book<P>>, entry: Entry) {
        let late = book.aborting.then(|| entry.clone());
        let swept = match book.entries.len() < book.sweep_at {
            true => Vec::new(),
            false => self.sweep_book(&mut book),
        };
        book.entries.push(entry);
        drop(book);
        // Invariants 6 and 7: outside the lock.
        if let Some(late) = late {
            late.abort();
        }
        drop(swept);
    }

    /// Takes the finished entries out of the list; the caller drops them.
    fn sweep(&self) -> Vec<Entry> {
        self.sweep_book(&mut self.book.lock())
    }

    fn sweep_book(&self, book: &mut Book<P>) -> Vec<Entry> {
        let mut swept = Vec::new();
        let len = book.entries.len();
        // Whoever is unfinished holds a ticket, so there is no need to look at a list most of
        // which must be.
        let finished = len.saturating_sub(self.tickets.peek());
        if finished * 2 >= len {
            let all = std::mem::take(&mut book.entries);
            swept.reserve_exact(len);
            book.entries.reserve(len - finished + 1);
            for entry in all {
                match entry.is_finished() {
                    true => swept.push(entry),
                    false => book.entries.push(entry),
                }
            }
        }
        book.sweep_at = match book.aborting {
            true => 0,
            false => (book.entries.len() * 2).max(SWEEP_FROM),
        };
        self.sweep_when_left.set(match book.entries.len() {
            len if len >= SWEEP_FROM * 8 => len / 4,
            _ => 0,
        });
        swept
    }

    /// From now on every task is aborted, the ones listed by the caller and
    /// later ones by whoever writes them down (invariant 7).
    pub(crate) fn abort_all(&self) {
        let entries = {
            let mut book = self.book.lock();
            book.aborting = true;
            // Whoever writes from now on looks closer.
            book.sweep_at = 0;
            book.entries.clone()
        };
        for entry in &entries {
            entry.abort();
        }
    }

    /// Whether the grace is over.
    pub(crate) fn is_aborting(&self) -> bool {
        self.book.lock().aborting
    }

    /// Whether the last one has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.book.lock().empty
    }

    /// Dates the entries that have no date, and those that are yet to be written
    /// without one.
    pub(crate) fn date_undated(&self, now: Stamp) {
        self.book.lock().undated.get_or_insert(now);
    }

    /// The unfinished tasks, for people to read.
    pub(crate) fn unfinished(&self) -> Vec<Entry> {
        let now = Stamp::now();
        let mut entries = {
            let mut book = self.book.lock();
            let undated = book.undated.unwrap_or(now);
            book.entries
                .iter_mut()
                .for_each(|entry| entry.date(undated));
            book.entries.clone()
        };
        entries.retain(|entry| !entry.is_finished());
        entries
    }

    /// How many tickets are out, as a number to show.
    pub(crate) fn num_tickets(&self) -> usize {
        self.tickets.peek()
    }

    /// How many entries are kept, finished ones included.
    #[cfg(all(test, not(any(loom, shuttle))))]
    fn num_entries(&self) -> usize {
        self.book.lock().entries.len()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::entry::{TaskKind, Who};
    use crate::rt;

    fn entry_of(handle: &rt::JoinHandle<()>) -> Entry {
        let who = Who {
            name: None,
            location: Location::caller(),
        };
        Entry::new(
            handle.abort_handle(),
            who,
            TaskKind::Cooperative,
            Some(Stamp::now()),
        )
    }

    #[test]
    fn an_entry_is_four_words() {
        assert_eq!(size_of::<Entry>(), 4 * size_of::<usize>());
    }

    #[tokio::test]
    async fn a_trickle_of_tasks_is_not_remembered() {
        let ledger: Ledger<()> = Ledger::new();
        let mut most = 0;
        for _ in 0..20_000 {
            let mut handle = rt::spawn(async {});
            ledger.write(entry_of(&handle));
            std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            most = most.max(ledger.num_entries());
        }
        assert!(most <= SWEEP_FROM, "{most} entries");
    }

    #[tokio::test]
    async fn a_burst_of_tasks_is_forgotten_as_they_leave() {
        let ledger: Ledger<()> = Ledger::new();
        let mut handles = Vec::new();
        for _ in 0..10_000 {
            ledger.enter_from_inside();
            let handle = rt::spawn(async {});
            ledger.write(entry_of(&handle));
            handles.push(handle);
        }
        for mut handle in handles {
            std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            assert!(matches!(ledger.leave(), Waiter::None));
        }
        assert!(
            ledger.num_entries() < SWEEP_FROM * 8,
            "{} entries",
            ledger.num_entries()
        );
    }

    #[test]
    fn zero_is_final() {
        let ledger: Ledger<()> = Ledger::new();
        assert!(ledger.enter());
        assert!(matches!(ledger.leave(), Waiter::None));
        assert!(matches!(ledger.leave(), Waiter::None));
        assert!(ledger.is_empty());
        assert!(!ledger.enter());
    }

    #[test]
    fn the_last_one_to_leave_gets_the_parents_ticket() {
        let ledger: Ledger<&str> = Ledger::new();
        assert!(ledger.hand_over("ticket").is_none());
        assert!(matches!(ledger.leave(), Waiter::Parent("ticket")));
        assert_eq!(ledger.hand_over("too late"), Some("too late"));
    }
}
