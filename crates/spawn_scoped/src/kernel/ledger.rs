//! The ledger of a scope: who is still inside, and who is told when the last
//! one leaves. No runtime, no context and no error type in here.
//!
//! # Invariants
//!
//! 1. **Counted before it exists.** A ticket is counted before the work it
//!    stands for can run: the body's from birth, and with it a stock for the
//!    tasks that it is going to spawn; other tasks' before they are spawned, an
//!    adopted scope's before it is handed over.
//! 2. **Counted until it is gone.** A ticket falls only after the future, the
//!    captures and the context of its work are dropped.
//! 3. **Zero is final.** The count never leaves zero: whoever does not hold a
//!    ticket enters with an increment that refuses zero. Zero is the closed bit.
//! 4. **One closes.** Whoever takes the count to zero and finds it marked takes
//!    the waiter; nobody else does, save who put it there. The waiter is woken
//!    or dropped after the lock is gone.
//! 5. **No exit is missed.** Whoever waits writes the waiter, and then marks the
//!    count. Mark and count are one word: either the last one sees the mark, or
//!    who sets it sees the zero, the join and the hand-over alike.
//! 6. **Nothing foreign under the lock.** Wakers, parents' tickets and swept
//!    entries are cloned, woken and dropped outside it.
//! 7. **Abort reaches everybody.** `aborting` and the entries share the lock:
//!    an entry written after the abort is aborted by its writer.
//! 8. **What is lent is noted.** A ticket out of the body's stock leaves the
//!    count like any other. That the body no longer holds it is noted once,
//!    before the body leaves with the rest of its stock.
//!
//! There is one lock, so there is no lock order; dropping a parent's ticket
//! takes the parent's lock, which is why invariant 6 forbids it under ours.

use std::task::{Poll, Waker};

use crate::data::entry::Entry;
use crate::kernel::count::{Count, Left};
use crate::kernel::list::{List, SWEEP_FROM};
use crate::rt::Stamp;
use crate::sync::{Hint, Mutex, MutexGuard, STOCK};

/// Entries that a reader copies under one lock.
const PIECE: usize = 1_000;

/// The ledger. `P` is a ticket of another ledger, held as its waiter by one
/// that was handed over.
///
/// In the order of its fields, with the count first: whoever gives back a ticket gives back a
/// reference to the scope as well, and finds both counts in one line of the cache.
#[repr(C)]
pub(crate) struct Ledger<P> {
    /// The body with its stock, the tasks, and the scopes taken over.
    tickets: Count,
    /// A leaver that finds no more than this many left sweeps, so that a burst of tasks is
    /// not remembered by a scope that spawns no more. 0 for never.
    sweep_when_left: Hint,
    /// What the spawner writes is in another line of the cache than what those who leave write:
    /// with both in one, two workers pull it to and fro at each spawn.
    _apart: [usize; 6],
    /// How many tickets the body holds for the tasks it is going to spawn. Changed under the
    /// lock, and by the body's end when nobody else can.
    stock: Hint,
    book: Mutex<Book<P>>,
}

/// Guarded by the ledger's only lock.
struct Book<P> {
    /// Set once, when the grace is over.
    aborting: bool,
    /// `None` until a join waits or the scope is handed over.
    waiter: Waiter<P>,
    /// The spawned tasks, of the finished ones those that were not swept yet.
    list: List,
    /// When the entries without a date were spawned at the latest, once that
    /// matters.
    undated: Option<Stamp>,
}

/// Who is told that the last one left.
#[derive(Debug)]
pub(crate) enum Waiter<P> {
    None,
    Wake(Waker),
    Parent(P),
}

impl<P> Ledger<P> {
    /// A ledger with one ticket already counted (invariant 1), and besides it the `stock` of a
    /// body: 0 without one.
    #[inline]
    pub(crate) fn new(stock: usize) -> Self {
        Self {
            tickets: Count::new(1 + stock),
            stock: Hint::new(stock),
            _apart: [0; 6],
            book: Mutex::new(Book {
                aborting: false,
                waiter: Waiter::None,
                list: List::new(),
                undated: None,
            }),
            sweep_when_left: Hint::new(0),
        }
    }

    /// Counts one more, for somebody who knows that a ticket is being held.
    pub(crate) fn enter_from_inside(&self) {
        self.tickets.add(1);
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
        let left = self.tickets.sub(1);
        // Mostly others are left, and it is not time to sweep. The stock of a body that is still
        // there is counted as well: then only every so many look closer.
        if left.num > self.sweep_when_left.get() && left.num % SWEEP_FROM != 0 {
            return Waiter::None;
        }
        self.look_closer(left)
    }

    #[cold]
    #[inline(never)]
    fn look_closer(&self, left: Left) -> Waiter<P> {
        if left.num > 0 {
            self.sweep(left.num);
        }
        self.close_after(left)
    }

    /// Gives the body's ticket back, with what is left of its stock.
    #[must_use = "the waiter must be woken or dropped"]
    pub(crate) fn leave_as_body(&self) -> Waiter<P> {
        let stock = self.stock.get();
        self.stock.set(0);
        self.close_after(self.tickets.sub(1 + stock))
    }

    fn close_after(&self, left: Left) -> Waiter<P> {
        match left {
            // Invariant 4: only one of us ever gets here.
            Left {
                num: 0,
                is_marked: true,
            } => std::mem::replace(&mut self.book.lock().waiter, Waiter::None),
            // Invariant 5: if that was the last one, whoever comes to wait sees the zero.
            _ => Waiter::None,
        }
    }

    /// Whether the last one has left; `waker` is woken when that happens.
    pub(crate) fn poll_empty(&self, waker: &Waker) -> Poll<()> {
        if self.is_empty() {
            return Poll::Ready(());
        }
        if let Waiter::Wake(known) = &self.book.lock().waiter {
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

    /// Makes `parent` wait for the last one in place of the join. Given back
    /// when there is nobody left to wait for.
    #[must_use = "a ticket that is given back must be dropped outside the lock"]
    pub(crate) fn hand_over(&self, parent: P) -> Option<P> {
        match self.wait_with(Waiter::Parent(parent)) {
            (_old, Some(Waiter::Parent(parent))) => Some(parent),
            _ => None,
        }
    }

    /// Writes down who waits, in place of who did. Returns that one, and the new one as well
    /// if the last one has left already.
    fn wait_with(&self, waiter: Waiter<P>) -> (Waiter<P>, Option<Waiter<P>>) {
        let mut book = self.book.lock();
        let old = std::mem::replace(&mut book.waiter, waiter);
        // Invariant 5: whoever is the last from here on sees the mark.
        let back =
            (self.tickets.mark() == 0).then(|| std::mem::replace(&mut book.waiter, Waiter::None));
        (old, back)
    }

    /// The list, which is of no more use once the last one has left. The caller drops it.
    pub(crate) fn take_list(&self) -> List {
        std::mem::replace(&mut self.book.lock().list, List::new())
    }

    /// Notes that the body has lent a ticket of its stock to a task that came to nothing.
    #[cold]
    pub(crate) fn note_loan(&self) {
        self.note_loan_in(&mut self.book.lock());
    }

    /// The book is there to show that the lock is held.
    #[inline]
    fn note_loan_in(&self, _book: &mut Book<P>) {
        let stock = self.stock.get() - 1;
        self.stock.set(stock);
        if stock < STOCK / 2 {
            self.refill(stock);
        }
    }

    /// The body gets more: some may be on their way to tasks, unnoted, but never half of a stock.
    #[cold]
    #[inline(never)]
    fn refill(&self, stock: usize) {
        self.tickets.add(STOCK / 2);
        self.stock.set(stock + STOCK / 2);
    }

    /// Writes down a task, and that its ticket was `lent` by the body. Sweeps when enough of
    /// the list may be finished.
    #[inline]
    pub(crate) fn write(&self, entry: impl FnOnce() -> Entry, lent: bool) {
        let mut book = self.book.lock();
        if lent {
            self.note_loan_in(&mut book);
        }
        if book.list.has_room() && !book.aborting {
            book.list.push(entry);
        } else {
            self.write_and_tidy(book, entry());
        }
    }

    #[cold]
    #[inline(never)]
    fn write_and_tidy(&self, mut book: MutexGuard<'_, Book<P>>, entry: Entry) {
        let late = book.aborting.then(|| entry.clone());
        let swept = match book.list.is_due() {
            true => self.sweep_all(&mut book),
            false => Vec::new(),
        };
        book.list.push(|| entry);
        drop(book);
        // Invariants 6 and 7: outside the lock.
        if let Some(late) = late {
            late.abort();
        }
        drop(swept);
    }

    /// Takes finished tasks out of the list, when `num` tickets are left: now and then those at
    /// its front, and when few are left all of them, if one at the front does not finish.
    fn sweep(&self, num: usize) {
        let mark = self.sweep_when_left.get();
        if num.saturating_sub(self.stock.get()) > mark {
            self.sweep_front();
        } else if mark > 0 {
            let swept = self.sweep_all(&mut self.book.lock());
            drop(swept);
        }
    }

    fn sweep_front(&self) {
        loop {
            let swept = self.book.lock().list.sweep_front();
            if swept.is_none() {
                break;
            }
        }
    }

    fn sweep_all(&self, book: &mut Book<P>) -> Vec<Entry> {
        // Whoever is unfinished holds a ticket.
        let swept = book.list.sweep(self.num_tickets());
        self.sweep_when_left.set(match book.list.num_more() {
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
            book.list.iter().cloned().collect::<Vec<_>>()
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
        self.tickets.is_zero()
    }

    /// Dates the entries that have no date, and those that are yet to be written
    /// without one.
    pub(crate) fn date_undated(&self, now: Stamp) {
        self.book.lock().undated.get_or_insert(now);
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
                let mut book = self.book.lock();
                let undated = *book.undated.get_or_insert(now);
                let piece = book.list.iter().skip(from).take(PIECE).cloned();
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
        self.tickets.peek().saturating_sub(self.stock.get())
    }

    /// How many entries are kept, finished ones included.
    #[cfg(all(test, not(any(loom, shuttle))))]
    fn num_entries(&self) -> usize {
        self.book.lock().list.iter().count()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::data::entry::{TaskKind, Who};
    use crate::kernel::list::CHUNK;
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

    /// As many tasks that are counted and written down.
    fn spawn_in(ledger: &Ledger<()>, num: usize) -> Vec<rt::JoinHandle<()>> {
        let spawn = |_| {
            ledger.enter_from_inside();
            let handle = rt::spawn(async {});
            ledger.write(|| entry_of(&handle), false);
            handle
        };
        (0..num).map(spawn).collect()
    }

    /// They end and leave, one after the other, and none of them is the last.
    async fn finish(ledger: &Ledger<()>, handles: impl IntoIterator<Item = rt::JoinHandle<()>>) {
        for mut handle in handles {
            std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            assert!(matches!(ledger.leave(), Waiter::None));
        }
    }

    #[test]
    fn an_entry_is_four_words() {
        assert_eq!(size_of::<Entry>(), 4 * size_of::<usize>());
    }

    #[tokio::test]
    async fn a_trickle_of_tasks_is_not_remembered() {
        let ledger: Ledger<()> = Ledger::new(0);
        let mut most = 0;
        for _ in 0..20_000 {
            let mut handle = rt::spawn(async {});
            ledger.write(|| entry_of(&handle), false);
            std::future::poll_fn(|cx| handle.poll_joined(cx)).await;
            most = most.max(ledger.num_entries());
        }
        assert!(most <= SWEEP_FROM, "{most} entries");
    }

    #[tokio::test]
    async fn every_task_is_written_down() {
        let ledger: Ledger<()> = Ledger::new(0);
        for num in 1..=3 * CHUNK {
            let stays = rt::spawn(std::future::pending());
            ledger.enter_from_inside();
            ledger.write(|| entry_of(&stays), false);
            assert_eq!(ledger.num_entries(), num);
        }
    }

    #[tokio::test]
    async fn tasks_that_finish_in_order_are_forgotten_in_order() {
        let ledger: Ledger<()> = Ledger::new(0);
        let mut handles = spawn_in(&ledger, 1_000);
        finish(&ledger, handles.drain(..640)).await;
        let kept = ledger.num_entries();
        assert!(kept <= 360 + CHUNK, "{kept} entries");
    }

    #[test]
    fn a_body_may_lend_more_than_its_first_stock() {
        let ledger: Ledger<()> = Ledger::new(STOCK);
        for _ in 0..STOCK * 2 {
            ledger.note_loan();
            assert_eq!(ledger.num_tickets(), 2);
            assert!(matches!(ledger.leave(), Waiter::None));
        }
        ledger.note_loan();
        assert!(matches!(ledger.leave_as_body(), Waiter::None));
        assert!(!ledger.is_empty());
        assert!(matches!(ledger.leave(), Waiter::None));
        assert!(ledger.is_empty());
    }

    #[tokio::test]
    async fn a_burst_of_tasks_is_forgotten_as_they_leave() {
        for stock in [0, STOCK] {
            let ledger: Ledger<()> = Ledger::new(stock);
            ledger.enter_from_inside();
            let stays = rt::spawn(std::future::pending());
            for _ in 0..10 {
                ledger.write(|| entry_of(&stays), false);
            }
            finish(&ledger, spawn_in(&ledger, 10_000)).await;
            let kept = ledger.num_entries();
            assert!(kept < SWEEP_FROM * 8, "{kept} entries");
        }
    }

    #[test]
    fn zero_is_final() {
        let ledger: Ledger<()> = Ledger::new(0);
        assert!(ledger.enter());
        assert!(matches!(ledger.leave(), Waiter::None));
        assert!(matches!(ledger.leave(), Waiter::None));
        assert!(ledger.is_empty());
        assert!(!ledger.enter());
    }

    #[test]
    fn the_last_one_to_leave_gets_the_parents_ticket() {
        let ledger: Ledger<&str> = Ledger::new(0);
        assert!(ledger.hand_over("ticket").is_none());
        assert!(matches!(ledger.leave(), Waiter::Parent("ticket")));
        assert_eq!(ledger.hand_over("too late"), Some("too late"));
    }
}
