//! What a scope's handle, its tasks and its future share: the ledger, the
//! scope's lifetime and what went wrong so far.

use std::any::Any;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio_ctx::{CancelGuard, Cancelled, Context, Reason, owner};

use crate::entry::{Entry, Name, Place, TaskKind, Who};
use crate::failure::{
    ErasedError, FailureKind, Failures, Payload, Surplus, TaskFailure, panic_message,
    well_known_message,
};
use crate::ledger::{Ledger, Waiter};
use crate::options::Config;
use crate::root;
use crate::rt::{self, AbortHandle, Stamp};
use crate::slots::Slots;
use crate::span::SpanPolicy;
use crate::straggler::Chase;
use crate::sync::{Flag, Hint, Mutex, MutexGuard, catch};

/// One scope. Owned by whatever holds a ticket of it, and by its handles; the
/// lifetime below carries a weak way back to it, by which scopes that are
/// dropped further down find somebody to take their tasks.
pub(crate) struct Shared {
    pub(crate) ledger: Ledger<Ticket>,
    /// The scope's own lifetime, under its parent's.
    pub(crate) lifetime: CancelGuard,
    /// The line of the call that made the scope.
    pub(crate) location: Place,
    pub(crate) config: Option<Arc<Config>>,
    pub(crate) slots: Option<Slots>,
    /// The clock as read by the first spawn in this poll of the body, 0 before
    /// that: a body that spawns ten thousand tasks reads the clock once.
    stamp: Hint,
    /// What most scopes never touch.
    pub(crate) rare: RareCell,
}

/// A lock around [`Rare`]. Nothing foreign runs or is dropped under it, and it
/// is never held together with the ledger's.
pub(crate) struct RareCell {
    /// Raised before the first lock. Whoever locks for a task or for the owner
    /// holds a ticket, so a scope that finds its ledger empty and the flag down
    /// has nothing to look for.
    touched: Flag,
    rare: Mutex<Rare>,
}

impl RareCell {
    fn new() -> Self {
        Self {
            touched: Flag::new(),
            rare: Mutex::new(Rare::default()),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Rare> {
        self.touched.raise();
        self.rare.lock()
    }

    /// Locks if anybody ever did. To be trusted once the ledger is empty.
    pub(crate) fn lock_if_touched(&self) -> Option<MutexGuard<'_, Rare>> {
        self.touched.is_raised().then(|| self.rare.lock())
    }
}

/// What few scopes need.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) failures: Failures,
    /// Scopes that wait below this one, and those that it took over.
    pub(crate) below: Vec<Weak<Shared>>,
    /// The scope's background tasks, once there is one.
    pub(crate) background: Option<Background>,
    /// For the background's own ledger: the scope it belongs to.
    pub(crate) foreground: Option<Weak<Shared>>,
    /// When the end of the context was first seen.
    pub(crate) ended: Option<Stamp>,
    /// Set when the scope future was dropped: what reports its stragglers and
    /// ends their grace now that nobody polls.
    pub(crate) chase: Option<Chase>,
}

/// The second ledger of a scope: its tasks are asked to stop when the others
/// are done.
pub(crate) struct Background {
    pub(crate) shared: Arc<Shared>,
    /// Dropped when no more background tasks may start.
    pub(crate) ticket: Option<Ticket>,
}

impl Shared {
    /// A scope under `parent`. The ticket of its body is counted; the caller
    /// owes it.
    pub(crate) fn open(
        parent: &Context,
        location: Place,
        config: Option<Arc<Config>>,
        slots: Option<Slots>,
    ) -> Arc<Shared> {
        Arc::new_cyclic(|me: &Weak<Shared>| {
            let me: Weak<dyn Any + Send + Sync> = me.clone();
            Shared {
                ledger: Ledger::new(),
                lifetime: owner::attach(parent, me),
                location,
                config,
                slots,
                stamp: Hint::new(0),
                rare: RareCell::new(),
            }
        })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.lifetime
    }

    pub(crate) fn name(&self) -> Option<&Name> {
        self.config.as_ref()?.name.as_ref()
    }

    pub(crate) fn grace(&self) -> Option<Duration> {
        self.config.as_ref()?.grace
    }

    pub(crate) fn span_policy(&self) -> SpanPolicy {
        self.config
            .as_ref()
            .map_or(SpanPolicy::Inherit, |config| config.span)
    }

    pub(crate) fn is_supervised(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.supervise)
    }

    /// Forgets the clock and the runtime: the next spawn asks again.
    pub(crate) fn forget_time(&self) {
        self.stamp.set(0);
    }

    /// The time, if there is a runtime to take a task. Both are asked at most
    /// once per poll of the body.
    pub(crate) fn body_time(&self) -> Option<Stamp> {
        match self.stamp.get() as u64 {
            0 => {
                let now = rt::is_running().then(Stamp::now)?;
                self.stamp.set(now.get() as usize);
                Some(now)
            }
            raw => Some(Stamp::from_raw(raw)),
        }
    }

    /// Writes down a task that was just spawned.
    pub(crate) fn write(&self, handle: AbortHandle, who: Who, kind: TaskKind, since: Stamp) {
        self.ledger.write(Entry::new(handle, who, kind, since));
    }

    /// Waits until everybody has left.
    pub(crate) fn poll_empty(&self, waker: &Waker) -> bool {
        self.ledger.poll_empty(waker)
    }

    /// Ends the scope's lifetime for a reason of the scope's own. Says whether
    /// that was what ended it.
    pub(crate) fn end(&self, cancelled: Cancelled) -> bool {
        owner::cancel(&self.lifetime.handle(), cancelled)
    }

    /// The scope whose result a failure in here belongs to.
    fn foreground(self: &Arc<Self>) -> Option<Arc<Shared>> {
        match &self.rare.lock().foreground {
            None => Some(self.clone()),
            Some(scope) => scope.upgrade(),
        }
    }

    /// A task returned an error. Returns what to tell those who await it.
    pub(crate) fn task_failed(self: &Arc<Self>, who: &Who, error: ErasedError) -> Cancelled {
        self.take_error(who, error, !self.is_supervised())
    }

    /// The same for a task whose failure nobody waits for any more.
    pub(crate) fn task_failed_late(self: &Arc<Self>, who: &Who, error: ErasedError) -> Cancelled {
        self.take_error(who, error, false)
    }

    fn take_error(self: &Arc<Self>, who: &Who, error: ErasedError, matters: bool) -> Cancelled {
        // A task that fails after the end of its context failed because of it.
        let ended = self.context().err();
        let failure = TaskFailure::new(who, FailureKind::Failed, self.describe(&error));
        let cause = Some(Arc::new(failure.clone()) as _);
        let cancelled = owner::cancelled(Reason::TaskFailed, who.location, cause);
        let was_asked = self.rare.lock().failures.enough;
        let decides = matters && !was_asked;
        let Some(scope) = self.foreground() else {
            self.log_unseen(&failure);
            return ended.unwrap_or(cancelled);
        };
        let surplus = {
            let mut rare = scope.rare.lock();
            match decides {
                true => rare.failures.add_error(error, who),
                false => rare.failures.add_undecisive(error, who),
            }
        };
        let is_primary = decides && matches!(surplus, Surplus::None);
        match &surplus {
            Surplus::None => {}
            Surplus::Late if self.is_supervised() => scope.log_supervised(&failure),
            Surplus::Late => scope.log_late(&failure),
            // What fails because it was told to stop is no news.
            Surplus::Unseen(_) if ended.is_some() => scope.log_late(&failure),
            Surplus::Unseen(_) | Surplus::Panic(_) => scope.log_unseen(&failure),
        }
        drop(surplus);
        // Only the error that decides cancels, so that the result of the scope
        // and the cause of its end are the same failure.
        if is_primary && ended.is_none() {
            scope.end(cancelled.clone());
        }
        ended.unwrap_or(cancelled)
    }

    /// A task panicked. Returns what to tell those who await it.
    pub(crate) fn task_panicked(self: &Arc<Self>, who: &Who, payload: Payload) -> Cancelled {
        let failure = TaskFailure::new(who, FailureKind::Panicked, panic_message(&payload));
        let cancelled = owner::cancelled(
            Reason::TaskPanicked,
            who.location,
            Some(Arc::new(failure.clone())),
        );
        tracing::error!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            panic = failure.message(),
            "a task panicked",
        );
        if let Some(scope) = self.foreground() {
            let surplus = scope.rare.lock().failures.add_panic(payload);
            drop_quietly(surplus);
            scope.end(cancelled.clone());
        } else {
            drop_quietly(payload);
        }
        cancelled
    }

    /// A task was dropped before its end, by its runtime or by an abort.
    pub(crate) fn task_dropped(self: &Arc<Self>, who: &Who) {
        let (reason, kind) = if self.ledger.is_aborting() {
            (Reason::TaskAborted, FailureKind::Aborted)
        } else {
            (Reason::TaskLost, FailureKind::Lost)
        };
        let failure = TaskFailure::new(who, kind, None);
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            "a task was {}",
            if kind == FailureKind::Aborted { "aborted after its grace" } else { "dropped by its runtime" },
        );
        self.task_lost(owner::cancelled(
            reason,
            who.location,
            Some(Arc::new(failure)),
        ));
    }

    /// A task that did not run to its end, through no doing of its context.
    pub(crate) fn task_lost(self: &Arc<Self>, cancelled: Cancelled) {
        let was_asked = self.rare.lock().failures.enough;
        if let (Some(scope), false) = (self.foreground(), was_asked) {
            let surplus = scope.rare.lock().failures.add_loss(cancelled.clone());
            drop(surplus);
            if !self.is_supervised() {
                scope.end(cancelled);
            }
        }
    }

    /// The end of its context kept a task from its end, or from its start.
    pub(crate) fn task_stopped(self: &Arc<Self>, cancelled: Cancelled) {
        let was_asked = self.rare.lock().failures.enough;
        if let (Some(scope), false) = (self.foreground(), was_asked) {
            let surplus = scope.rare.lock().failures.add_stopped(cancelled);
            drop(surplus);
        }
    }

    /// The scope's second ledger, and a ticket of it; `None` once it no longer
    /// takes tasks.
    pub(crate) fn enter_background(self: &Arc<Self>) -> Option<Ticket> {
        let fresh = {
            let rare = self.rare.lock();
            if let Some(background) = &rare.background {
                return background
                    .ticket
                    .as_ref()
                    .map(|ticket| Ticket::from_inside(ticket.shared()));
            }
            drop(rare);
            Shared::open(self.context(), self.location, self.config.clone(), None)
        };
        fresh.rare.lock().foreground = Some(Arc::downgrade(self));
        let ticket = Ticket::owed(&fresh);
        let mut ours = Some(Background {
            shared: fresh,
            ticket: Some(ticket),
        });
        let entered = {
            let mut rare = self.rare.lock();
            let background = match &mut rare.background {
                Some(first) => first,
                none => none.insert(ours.take()?),
            };
            background
                .ticket
                .as_ref()
                .map(|ticket| Ticket::from_inside(ticket.shared()))
        };
        // Dropped outside the lock, if somebody else was faster.
        drop(ours);
        entered
    }

    /// Asks the background tasks to stop and takes no more of them. Returns
    /// their ledger if there is one.
    pub(crate) fn close_background(&self) -> Option<Arc<Shared>> {
        let (shared, ticket) = {
            let mut rare = self.rare.lock_if_touched()?;
            let background = rare.background.as_mut()?;
            (background.shared.clone(), background.ticket.take())
        };
        // First the flag, then the cancel: a task that answers the cancel
        // already finds that its failures no longer decide.
        shared.rare.lock().failures.enough = true;
        shared.end(owner::cancelled(Reason::ScopeFinished, self.location, None));
        drop(ticket);
        Some(shared)
    }

    /// The body returned an error. Says whether that error decides.
    pub(crate) fn body_failed(&self, message: Option<String>) -> bool {
        let decides = self.rare.lock().failures.body_failed();
        let failure = TaskFailure::new(&self.body(), FailureKind::Failed, message);
        self.end(owner::cancelled(
            Reason::TaskFailed,
            self.location,
            Some(Arc::new(failure)),
        ));
        decides
    }

    /// The body panicked.
    pub(crate) fn body_panicked(&self, payload: Payload) {
        let failure =
            TaskFailure::new(&self.body(), FailureKind::Panicked, panic_message(&payload));
        let surplus = self.rare.lock().failures.add_panic(payload);
        drop_quietly(surplus);
        self.end(owner::cancelled(
            Reason::TaskPanicked,
            self.location,
            Some(Arc::new(failure)),
        ));
    }

    /// The body, where a task would be named.
    pub(crate) fn body(&self) -> Who {
        let name = Name::new("scope body".into());
        Who {
            name: Some(name),
            location: self.location,
        }
    }

    /// The text of an error, where this scope can know it.
    pub(crate) fn describe(&self, error: &ErasedError) -> Option<String> {
        let error: &(dyn Any + Send) = &**error;
        // The text is user code: a panic in it must not lose the error.
        catch(|| {
            let told = self
                .config
                .as_ref()
                .and_then(|config| config.describe.as_ref());
            match told {
                Some(describe) => describe(error),
                None => well_known_message(error),
            }
        })
        .unwrap_or_default()
    }

    fn log_late(&self, failure: &TaskFailure) {
        tracing::debug!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a task failed after the result of its scope was decided",
        );
    }

    fn log_supervised(&self, failure: &TaskFailure) {
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a supervised task failed",
        );
    }

    fn log_unseen(&self, failure: &TaskFailure) {
        tracing::warn!(
            scope = self.name().map(|name| name.as_ref().as_ref()),
            task = failure.name(),
            spawned_at = %failure.location(),
            error = failure.message(),
            "a task failed with an error that nobody is left to see",
        );
    }

    /// Remembers a scope below, for the tree that people look at.
    pub(crate) fn add_below(&self, scope: &Arc<Shared>) {
        let mut rare = self.rare.lock();
        // Growth of the list pays for looking through it.
        if rare.below.len() == rare.below.capacity() {
            rare.below.retain(|below| below.strong_count() > 0);
        }
        let known = rare
            .below
            .iter()
            .rev()
            .take(8)
            .any(|below| below.as_ptr() == Arc::as_ptr(scope));
        if !known {
            rare.below.push(Arc::downgrade(scope));
        }
    }

    /// The ledger of the background tasks, if there is one.
    pub(crate) fn background(&self) -> Option<Arc<Shared>> {
        let rare = self.rare.lock();
        rare.background
            .as_ref()
            .map(|background| background.shared.clone())
    }

    /// The scopes below that still exist.
    pub(crate) fn below(&self) -> Vec<Arc<Shared>> {
        let rare = self.rare.lock();
        let background = rare
            .background
            .iter()
            .map(|background| background.shared.clone());
        background
            .chain(rare.below.iter().filter_map(Weak::upgrade))
            .collect()
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
                    .filter(|below| below.is_handed_over()),
            );
        }
    }

    /// Whether the scope's future is gone, so that others wait for its tasks.
    pub(crate) fn is_handed_over(&self) -> bool {
        let rare = self.rare.lock();
        rare.failures.orphaned || rare.foreground.is_some()
    }
}

/// One unit of the ledger's count. Falls when dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Option<Arc<Shared>>);

impl Ticket {
    /// The one that is counted from the start.
    pub(crate) fn owed(shared: &Arc<Shared>) -> Ticket {
        Ticket(Some(shared.clone()))
    }

    /// One more, for somebody who knows that one is being held.
    pub(crate) fn from_inside(shared: &Arc<Shared>) -> Ticket {
        shared.ledger.enter_from_inside();
        Ticket(Some(shared.clone()))
    }

    /// One more, unless the last one has left.
    pub(crate) fn enter(shared: &Arc<Shared>) -> Option<Ticket> {
        shared.ledger.enter().then(|| Ticket(Some(shared.clone())))
    }

    /// The scope it is a ticket of.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl Drop for Ticket {
    /// In a loop rather than a recursion: the last ticket of a scope that was
    /// handed over gives back a ticket of the next, and so on upwards.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(shared) = next {
            next = tell(&shared, shared.ledger.leave());
        }
    }
}

/// The ticket of a body, which cannot outlive its scope.
pub(crate) struct BodyTicket<'a>(&'a Shared);

impl<'a> BodyTicket<'a> {
    /// The one that is counted from the start.
    pub(crate) fn owed(shared: &'a Shared) -> Self {
        Self(shared)
    }
}

impl Drop for BodyTicket<'_> {
    fn drop(&mut self) {
        drop(tell(self.0, self.0.ledger.leave()).map(|parent| Ticket(Some(parent))));
    }
}

/// The last one has left `scope` if there is a waiter: wakes who waits, or
/// returns the scope whose ticket it was.
fn tell(scope: &Shared, waiter: Waiter<Ticket>) -> Option<Arc<Shared>> {
    match waiter {
        Waiter::None => None,
        Waiter::Wake(waker) => {
            // A foreign waker may panic, a drop must not.
            drop_quietly(catch(|| waker.wake()));
            None
        }
        Waiter::Parent(mut ticket) => {
            // Nobody is left to be chased when the parent hears of it.
            let mut rare = scope.rare.lock_if_touched();
            let chase = rare.as_mut().and_then(|rare| rare.chase.take());
            drop(rare);
            drop(chase);
            ticket.0.take()
        }
    }
}

/// Who waits for the tasks of a scope that was dropped under `parent`: the
/// nearest scope around it that is still open, or else the process-wide root.
pub(crate) fn adopter(parent: &Context) -> Ticket {
    owner::enclosing(parent)
        .filter_map(|owner| owner.downcast::<Shared>().ok())
        .find_map(|scope| Ticket::enter(&scope))
        .unwrap_or_else(root::enter)
}

/// Drops a foreign value; a panic in its drop ends here.
pub(crate) fn drop_quietly<T>(value: T) {
    let mut payload = match catch(|| drop(value)) {
        Ok(()) => return,
        Err(payload) => payload,
    };
    // The payload of that panic is foreign as well, and so on; nobody is
    // perverse enough for more than a few rounds.
    for _ in 0..4 {
        match catch(|| drop(payload)) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
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
