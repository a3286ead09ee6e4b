//! The ledger of a scope: what is still inside, and what is woken when the last
//! one leaves. No runtime, no context and no error type in here.
//!
//! # Invariants
//!
//! 1. **Counted before it exists.** A ticket is counted before the work it
//!    stands for can run: the body's from birth, a task's before it is spawned, an
//!    adopted scope's before it is handed over.
//! 2. **Counted until it is gone.** A ticket falls only after the future, the
//!    captures and the context of its work are dropped.
//! 3. **Zero is final.** The count never leaves zero: code that does not hold a
//!    ticket enters with an increment that refuses zero. Zero is the closed bit.
//! 4. **One closes.** Only the ticket that takes the count to zero and finds it
//!    marked takes the waiter. The exceptions are the waiter itself, and whoever
//!    wakes it to let it look around. It is woken or dropped after the lock is gone.
//! 5. **No exit is missed.** Whoever waits writes the waiter, and then marks the
//!    count. Mark and count are one word: either the last one sees the mark, or
//!    who sets it sees the zero, the join and the hand-over alike.
//! 6. **Nothing foreign under the lock.** Wakers, parents' tickets and swept
//!    entries are cloned, woken and dropped outside it.
//! 7. **Abort reaches everybody.** `aborting` and the entries share the lock:
//!    an entry written after the abort is aborted by its writer.
//!
//! There is one lock, so there is no lock order; dropping a parent's ticket
//! takes the parent's lock, which is why invariant 6 forbids it under ours.

use std::task::{Poll, Waker};

use crate::data::entry::Entry;
use crate::kernel::count::Count;
use crate::rt::Stamp;
use crate::sync::{Hint, Mutex, MutexGuard, Ordering};

/// In a list of so few tasks the finished ones are not looked for.
const SWEEP_FROM: usize = 64;

/// Entries that a reader copies under one lock.
const PIECE: usize = 1_000;

/// The ledger. `P` is a ticket of another ledger, held as its waiter by one
/// that was handed over.
pub(crate) struct Ledger<P> {
    /// The body, the tasks, and the scopes taken over.
    tickets: Count,
    /// A leaver that finds no more than this many left sweeps, so that a burst of tasks is
    /// not remembered by a scope that spawns no more. 0 for never.
    sweep_when_left: Hint,
    state: Mutex<State<P>>,
}

/// Guarded by the ledger's only lock.
struct State<P> {
    /// Set once, when the grace is over.
    aborting: bool,
    /// `None` until a join waits or the scope is handed over.
    waiter: Waiter<P>,
    /// The spawned tasks in their order, of the finished ones those that were not swept yet.
    entries: Vec<Entry>,
    /// The length at which the finished ones are looked for.
    sweep_at: usize,
    /// When the entries without a date were spawned at the latest, once that
    /// matters.
    undated: Option<Stamp>,
}

/// The waiter to wake when the last one has left.
#[derive(Debug)]
pub(crate) enum Waiter<P> {
    None,
    Wake(Waker),
    Parent(P),
}

impl<P> Ledger<P> {
    /// A ledger with one ticket already counted (invariant 1).
    pub(crate) fn new() -> Self {
        Self {
            tickets: Count::new(1),
            sweep_when_left: Hint::new(0),
            state: Mutex::new(State {
                aborting: false,
                waiter: Waiter::None,
                entries: Vec::new(),
                sweep_at: SWEEP_FROM,
                undated: None,
            }),
        }
    }

    /// Counts one more. The caller knows that a ticket is being held.
    pub(crate) fn enter_from_inside(&self) {
        self.tickets.add_one();
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
        let (left, is_marked) = self.tickets.sub_one();
        // Mostly others are left, and it is not time to sweep.
        if left > self.sweep_when_left.load(Ordering::Relaxed) {
            return Waiter::None;
        }
        self.look_closer(left, is_marked)
    }

    #[cold]
    #[inline(never)]
    fn look_closer(&self, left: usize, is_marked: bool) -> Waiter<P> {
        if left > 0 {
            let swept = self.state.lock().sweep(left, &self.sweep_when_left);
            drop(swept);
        } else if is_marked {
            // Invariant 4: only one of us ever gets here.
            return std::mem::replace(&mut self.state.lock().waiter, Waiter::None);
        }
        // Invariant 5: if that was the last one, a waiter that comes later sees the zero.
        Waiter::None
    }

    /// Whether the last one has left; `waker` is woken when that happens.
    pub(crate) fn poll_empty(&self, waker: &Waker) -> Poll<()> {
        if self.is_empty() {
            return Poll::Ready(());
        }
        if let Waiter::Wake(known) = &self.state.lock().waiter {
            if known.will_wake(waker) {
                return Poll::Pending;
            }
        }
        // Invariant 6: cloning a waker runs its owner's code, and so does dropping one.
        let mine = waker.clone();
        match self.wait_with(Waiter::Wake(mine)) {
            (_old, None) => Poll::Pending,
            (_old, Some(_mine)) => Poll::Ready(()),
        }
    }

    /// Takes out the waker of the waiter, which looks around and then writes another one.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut state.waiter, Waiter::None) {
            Waiter::Wake(waker) => Some(waker),
            other => {
                state.waiter = other;
                None
            }
        }
    }

    /// Makes `parent` wait for the last one in place of the join. Given back
    /// when there is nothing left to wait for.
    #[must_use = "a ticket that is given back must be dropped outside the lock"]
    pub(crate) fn hand_over(&self, parent: P) -> Option<P> {
        match self.wait_with(Waiter::Parent(parent)) {
            (_old, Some(Waiter::Parent(parent))) => Some(parent),
            _ => None,
        }
    }

    /// Writes down the waiter, in place of the one before. Returns that one, and the new one as
    /// well if the last ticket has left already.
    fn wait_with(&self, waiter: Waiter<P>) -> (Waiter<P>, Option<Waiter<P>>) {
        let mut state = self.state.lock();
        let old = std::mem::replace(&mut state.waiter, waiter);
        // Invariant 5: the ticket that is last from here on sees the mark.
        let back =
            (self.tickets.mark() == 0).then(|| std::mem::replace(&mut state.waiter, Waiter::None));
        (old, back)
    }

    /// The list, which is of no more use once the last one has left. The caller drops it.
    pub(crate) fn take_entries(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state.lock().entries)
    }

    /// Writes down a task. Sweeps when enough of the list may be finished.
    ///
    /// The entry is made where it stays. It runs nothing foreign (invariant 6).
    #[inline]
    pub(crate) fn write(&self, entry: impl FnOnce() -> Entry) {
        let mut state = self.state.lock();
        if state.aborting || state.entries.len() >= state.sweep_at {
            return self.write_and_tidy(state, entry());
        }
        state.entries.push(entry());
    }

    #[inline(never)]
    fn write_and_tidy(&self, mut state: MutexGuard<'_, State<P>>, entry: Entry) {
        let late = state.aborting.then(|| entry.clone());
        let swept = match state.entries.len() >= state.sweep_at {
            // Every unfinished task holds a ticket.
            true => state.sweep(self.num_tickets(), &self.sweep_when_left),
            false => Vec::new(),
        };
        state.entries.push(entry);
        drop(state);
        // Invariants 6 and 7: outside the lock.
        if let Some(late) = late {
            late.abort();
        }
        drop(swept);
    }

    /// From now on every task is aborted, the ones listed by the caller and
    /// later ones by the code that writes them down (invariant 7).
    pub(crate) fn abort_all(&self) {
        let entries = {
            let mut state = self.state.lock();
            state.aborting = true;
            state.entries.clone()
        };
        for entry in &entries {
            entry.abort();
        }
    }

    /// Whether the grace is over.
    pub(crate) fn is_aborting(&self) -> bool {
        self.state.lock().aborting
    }

    /// Whether the last one has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.tickets.is_zero()
    }

    /// Dates the entries that have no date, and those that are yet to be written
    /// without one.
    pub(crate) fn date_undated(&self, now: Stamp) {
        self.state.lock().undated.get_or_insert(now);
    }

    /// The unfinished tasks, for people to read.
    pub(crate) fn unfinished(&self) -> Vec<Entry> {
        self.unfinished_up_to(usize::MAX).0
    }

    /// At most `limit` of the unfinished tasks, and how many more may be there.
    ///
    /// The lock is taken anew for each thousand of them, so that a spawner never waits for a
    /// reader of a long list. A task that is taken off the list meanwhile moves those behind it
    /// forward; one that is missed for that is counted among the rest.
    pub(crate) fn unfinished_up_to(&self, limit: usize) -> (Vec<Entry>, usize) {
        let now = Stamp::now();
        let mut entries: Vec<Entry> = Vec::new();
        let mut from = 0;
        loop {
            let (mut piece, undated): (Vec<Entry>, _) = {
                let mut state = self.state.lock();
                let undated = *state.undated.get_or_insert(now);
                let piece = state.entries.iter().skip(from).take(PIECE).cloned();
                (piece.collect(), undated)
            };
            from += piece.len();
            let is_last = piece.len() < PIECE;
            piece.retain(|entry| !entry.is_finished());
            piece.iter_mut().for_each(|entry| entry.date(undated));
            let room = limit - entries.len();
            let is_full = piece.len() > room;
            piece.truncate(room);
            entries.extend(piece);
            if is_last || is_full {
                let more = match is_full {
                    true => self.num_tickets().saturating_sub(entries.len()),
                    false => 0,
                };
                return (entries, more);
            }
        }
    }

    /// How many tickets are out, as a number to show.
    pub(crate) fn num_tickets(&self) -> usize {
        self.tickets.peek()
    }

    /// How many entries are kept, finished ones included.
    #[cfg(all(test, not(any(loom, shuttle))))]
    fn num_entries(&self) -> usize {
        self.state.lock().entries.len()
    }
}

impl<P> State<P> {
    /// Takes the finished tasks out of the list, unless most of it must be `unfinished`. The
    /// caller drops them.
    fn sweep(&mut self, unfinished: usize, sweep_when_left: &Hint) -> Vec<Entry> {
        let len = self.entries.len();
        let mut swept = Vec::new();
        if len.saturating_sub(unfinished) * 2 >= len {
            let all = std::mem::take(&mut self.entries);
            (swept, self.entries) = all.into_iter().partition(Entry::is_finished);
        }
        let len = self.entries.len();
        self.sweep_at = (len * 2).max(SWEEP_FROM);
        sweep_when_left.store(
            if len >= SWEEP_FROM * 8 { len / 4 } else { 0 },
            Ordering::Relaxed,
        );
        swept
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::data::entry::{TaskKind, Who};
    use crate::rt::{self, JoinHandle};

    fn entry_of(handle: &JoinHandle<()>) -> Entry {
        let who = Who {
            name: None,
            location: Location::caller(),
        };
        Entry::new(handle, who, TaskKind::Cooperative, Some(Stamp::now()))
    }

    /// As many tasks that are counted and written down.
    fn spawn_in(ledger: &Ledger<()>, num: usize) -> Vec<JoinHandle<()>> {
        let spawn = |_| {
            ledger.enter_from_inside();
            let handle = JoinHandle::Task(rt::spawn(async {}));
            ledger.write(|| entry_of(&handle));
            handle
        };
        (0..num).map(spawn).collect()
    }

    /// They end and leave, one after the other, and none of them is the last.
    async fn finish(ledger: &Ledger<()>, handles: impl IntoIterator<Item = JoinHandle<()>>) {
        for mut handle in handles {
            let joined = std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            assert!(joined.is_ok());
            assert!(matches!(ledger.leave(), Waiter::None));
        }
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
            let mut handle = JoinHandle::Task(rt::spawn(async {}));
            ledger.write(|| entry_of(&handle));
            let joined = std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            assert!(joined.is_ok());
            most = most.max(ledger.num_entries());
        }
        assert!(most <= SWEEP_FROM, "{most} entries");
    }

    #[tokio::test]
    async fn every_task_is_written_down() {
        let ledger: Ledger<()> = Ledger::new();
        for num in 1..=3 * SWEEP_FROM {
            let stays = JoinHandle::Task(rt::spawn(std::future::pending()));
            ledger.enter_from_inside();
            ledger.write(|| entry_of(&stays));
            assert_eq!(ledger.num_entries(), num);
        }
    }

    #[tokio::test]
    async fn a_burst_of_tasks_is_forgotten_as_they_leave() {
        let ledger: Ledger<()> = Ledger::new();
        ledger.enter_from_inside();
        let stays = JoinHandle::Task(rt::spawn(std::future::pending()));
        for _ in 0..10 {
            ledger.write(|| entry_of(&stays));
        }
        finish(&ledger, spawn_in(&ledger, 10_000)).await;
        let kept = ledger.num_entries();
        assert!(kept < SWEEP_FROM * 8, "{kept} entries");
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
