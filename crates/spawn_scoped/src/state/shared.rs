//! What a scope's handle, its tasks and its future share: the ledger, the
//! scope's lifetime and what went wrong so far.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_ctx_core::{CancelHandle, Cancelled, Context, OnCancel, owner};

use crate::data::cleanup::CleanUps;
use crate::data::config::{Config, Describe};
use crate::data::entry::Place;
use crate::data::text::Name;
use crate::foreign::{quietly, wake};
use crate::kernel::ledger::Ledger;
use crate::rt::{Reminder, Stamp};
use crate::state::failures::Failures;
use crate::sync::{Flag, Mutex, MutexGuard, Slots};

/// One scope. Owned by whatever holds a ticket of it, and by its handles; the
/// lifetime below carries a weak way back to it, by which scopes that are
/// dropped further down find an owner for their tasks.
pub(crate) struct Shared {
    pub(crate) ledger: Ledger<Ticket>,
    /// The right to end the scope's own lifetime, which is under its parent's. It
    /// carries no values: the last owner lets go of it a little after the scope
    /// has returned, and by then nothing of the scope may hold a value.
    pub(crate) lifetime: CancelHandle,
    /// The line of the call that made the scope.
    pub(crate) location: Place,
    pub(super) config: Option<Arc<Config>>,
    /// What a task takes before it is spawned, where tasks are limited.
    pub(crate) slots: Option<Box<Slots>>,
    /// Knows the type of the errors.
    pub(crate) says_cancelled: SaysCancelled,
    /// Raised when the scope first has to wait, so that a short one never reads the clock.
    has_waited: Flag,
    /// What most scopes never touch.
    pub(crate) cold: ColdCell,
}

/// Whether an error only says that its task was cancelled, as the context was that ended so.
/// The last argument is what makes a text of the error, if anything does.
pub(crate) type SaysCancelled = fn(&(dyn Any + Send), &Cancelled, Option<&Describe>) -> bool;

/// One unit of the ledger's count. Falls when it is given back, or dropped. `None` from then on.
#[derive(Debug)]
pub(crate) struct Ticket(pub(super) Option<Arc<Shared>>);

/// A lock around [`Cold`]. Nothing foreign runs or is dropped under it, and it
/// is never held together with the ledger's.
pub(crate) struct ColdCell {
    /// Raised before the first lock. Code that locks for a task or for the owner
    /// holds a ticket, so a scope that finds its ledger empty and the flag down
    /// has nothing to look for.
    touched: Flag,
    /// On the heap from the first lock on.
    cold: Mutex<Option<Box<Cold>>>,
}

/// A lock that is held.
pub(crate) struct ColdGuard<'a>(MutexGuard<'a, Option<Box<Cold>>>);

impl Deref for ColdGuard<'_> {
    type Target = Cold;

    fn deref(&self) -> &Cold {
        self.0.as_ref().expect("the first lock creates it")
    }
}

impl DerefMut for ColdGuard<'_> {
    fn deref_mut(&mut self) -> &mut Cold {
        self.0.get_or_insert_default()
    }
}

impl ColdCell {
    fn new() -> Self {
        Self {
            touched: Flag::new(),
            cold: Mutex::new(None),
        }
    }

    pub(crate) fn lock(&self) -> ColdGuard<'_> {
        self.touched.raise();
        let mut cold = self.cold.lock();
        cold.get_or_insert_default();
        ColdGuard(cold)
    }

    /// Locks if anybody ever did. To be trusted once the ledger is empty.
    #[inline]
    pub(crate) fn lock_if_touched(&self) -> Option<ColdGuard<'_>> {
        self.touched.is_raised().then(|| self.lock())
    }
}

/// What few scopes need.
#[derive(Default)]
pub(crate) struct Cold {
    pub(crate) failures: Failures,
    pub(crate) clean_ups: CleanUps,
    /// For a scope whose future was dropped: let go when its ledger is empty.
    pub(crate) after: Option<Arc<dyn Any + Send + Sync>>,
    /// Scopes that wait below this one, and those that it took over.
    pub(crate) below: Known,
    /// The scope's background tasks, once there is one.
    pub(crate) background: Option<Background>,
    /// For the background's own ledger: the scope it belongs to.
    pub(crate) foreground: Option<Weak<Shared>>,
    /// When the end of the context was first seen.
    pub(crate) ended: Option<Stamp>,
    /// The report of stragglers that is expected, and whether one is due.
    pub(crate) report_expected: Option<Reminder>,
    pub(crate) report_due: bool,
    /// What ends the grace of a scope whose future was dropped.
    pub(crate) orphan_grace: Option<OnCancel>,
}

/// A list with room for no more scopes keeps its room: a server's, whose requests come and go,
/// would give it back and ask for it again all the time.
const ROOM: usize = 32;

/// Scopes that are remembered as long as they live.
#[derive(Default)]
pub(crate) struct Known {
    scopes: Vec<Weak<Shared>>,
    /// How many have gone since the last look.
    gone: usize,
}

impl Known {
    pub(crate) const fn new() -> Self {
        Self {
            scopes: Vec::new(),
            gone: 0,
        }
    }

    pub(crate) fn add(&mut self, scope: &Arc<Shared>) {
        // One that was shown before it was handed over is mostly among the last.
        let mut last = self.scopes.iter().rev().take(8);
        if last.all(|known| known.as_ptr() != Arc::as_ptr(scope)) {
            self.scopes.push(Arc::downgrade(scope));
        }
    }

    /// Notes that one is about to go. When half of them are gone, they are forgotten: even a weak
    /// pointer keeps the memory of a scope.
    pub(crate) fn forget(&mut self) {
        self.gone += 1;
        if self.gone * 2 > self.scopes.len() {
            self.gone = 0;
            self.scopes.retain(|scope| scope.strong_count() > 0);
            if self.scopes.capacity() > ROOM.max(self.scopes.len() * 4) {
                self.scopes.shrink_to(self.scopes.len() * 2);
            }
        }
    }

    pub(crate) fn alive(&self) -> impl Iterator<Item = Arc<Shared>> {
        self.scopes.iter().filter_map(Weak::upgrade)
    }
}

/// The background of a scope that has one.
pub(crate) struct Background {
    pub(crate) shared: Arc<Shared>,
    /// Dropped when no more background tasks may start, and with it the context
    /// that they get.
    pub(crate) open: Option<(Ticket, Context)>,
}

impl Shared {
    /// A scope under `parent`. One ticket is counted; the caller owes it.
    pub(crate) fn open(
        parent: &Context,
        location: Place,
        config: Option<Arc<Config>>,
        slots: Option<Box<Slots>>,
        says_cancelled: SaysCancelled,
    ) -> Arc<Shared> {
        Arc::new_cyclic(|me: &Weak<Shared>| {
            // The code that opens a scope ends it, so there is no guard.
            let lifetime = owner::attach(parent, me.clone(), location);
            Shared {
                ledger: Ledger::new(),
                lifetime,
                location,
                config,
                slots,
                says_cancelled,
                has_waited: Flag::new(),
                cold: ColdCell::new(),
            }
        })
    }

    /// The scope's own context, without values.
    #[inline]
    pub(crate) fn context(&self) -> &Context {
        owner::context(&self.lifetime)
    }

    #[inline]
    pub(crate) fn config(&self) -> &Config {
        self.config.as_deref().unwrap_or(const { &Config::NONE })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.config().name.as_ref().map(Name::as_str)
    }

    /// How long ago its end was first seen. Call it only after the end.
    pub(crate) fn since_end(&self) -> Duration {
        self.cold
            .lock()
            .ended
            .get_or_insert_with(Stamp::now)
            .elapsed()
    }

    /// Whether it is the second ledger of a scope.
    pub(crate) fn is_background(&self) -> bool {
        let cold = self.cold.lock_if_touched();
        cold.is_some_and(|cold| cold.foreground.is_some())
    }

    /// Whether it had to wait, and so is in the tree.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited.is_raised()
    }

    /// From now on spawns read the clock, because the scope really waits; the
    /// tasks that are there count as spawned now.
    pub(crate) fn start_clock(&self) {
        self.has_waited.raise();
        self.ledger.date_undated(Stamp::now());
    }

    /// The time of a spawn, if it matters yet.
    #[inline]
    pub(crate) fn time(&self) -> Option<Stamp> {
        self.has_waited.is_raised().then(Stamp::now)
    }

    /// Ends the scope's lifetime for a reason of the scope's own. Says whether
    /// that was what ended it.
    pub(crate) fn end(&self, cancelled: Cancelled) -> bool {
        let won = self.close(cancelled);
        if won {
            self.wake_owner();
        }
        won
    }

    /// The same from the scope's own future, which need not be woken.
    pub(crate) fn close(&self, cancelled: Cancelled) -> bool {
        owner::cancel(&self.lifetime, cancelled)
    }

    /// Lets the future of the scope look around, if it waits.
    pub(crate) fn wake_owner(&self) -> bool {
        let waker = self.ledger.take_waker();
        let waits = waker.is_some();
        wake(waker);
        waits
    }

    /// Remembers a scope below, for the tree that people look at.
    pub(crate) fn add_below(&self, scope: &Arc<Shared>) {
        self.cold.lock().below.add(scope);
    }

    /// One of the scopes below is about to go.
    pub(crate) fn forget_below(&self) {
        self.cold.lock().below.forget();
    }

    /// The scopes below that still exist.
    pub(crate) fn below(&self) -> Vec<Arc<Shared>> {
        let cold = self.cold.lock();
        let background = cold
            .background
            .iter()
            .map(|background| background.shared.clone());
        background.chain(cold.below.alive()).collect()
    }

    /// Aborts every task of this scope, of its background and of the scopes it
    /// took over, now and later.
    pub(crate) fn abort_all(self: &Arc<Self>) {
        let mut todo = vec![self.clone()];
        while let Some(scope) = todo.pop() {
            scope.ledger.abort_all();
            todo.extend(
                scope
                    .below()
                    .into_iter()
                    .filter(|below| below.may_be_aborted()),
            );
        }
    }

    /// Gives a slot back, or passes it on to the longest waiter. Only once the task's future,
    /// captures and context are gone.
    #[inline]
    pub(crate) fn give_slot_back(&self) {
        if let Some(slots) = &self.slots {
            quietly(|| slots.give_back());
        }
    }

    /// The last task of a scope whose future was dropped has left.
    pub(crate) fn end_adoption(&self) {
        let Some(mut cold) = self.cold.lock_if_touched() else {
            return;
        };
        let (grace, after) = (cold.orphan_grace.take(), cold.after.take());
        drop(cold);
        // No task is left to be aborted.
        drop(grace);
        // The clean-up gets a ticket of the scope around before the last of ours is given back.
        drop(after);
    }

    /// Whether its grace is that of a scope above. A background that was not asked yet has its
    /// own grace before it.
    fn may_be_aborted(&self) -> bool {
        let cold = self.cold.lock();
        cold.failures.orphaned || (cold.foreground.is_some() && cold.failures.enough)
    }

    /// Whether the scope's future is gone, so that others wait for its tasks.
    pub(crate) fn is_handed_over(&self) -> bool {
        let cold = self.cold.lock();
        cold.failures.orphaned || cold.foreground.is_some()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.name())
            .field("location", &format_args!("{}", self.location))
            .field("tickets", &self.ledger.num_tickets())
            .finish_non_exhaustive()
    }
}

/// The line of the caller, for functions that are `#[track_caller]`.
#[track_caller]
pub(crate) fn here() -> Place {
    Location::caller()
}
