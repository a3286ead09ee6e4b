//! How a task gets started: counted, given a slot and a context, spawned, and written down.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

use tokio_ctx_core::{Cancelled, Context, Reason, owner};
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::data::entry::{Entry, Place, TaskKind, Who};
use crate::data::failure::TaskFailure;
use crate::data::text::Name;
use crate::face::spawner::Spawner;
use crate::foreign::{drop_quietly, quietly};
use crate::kernel::slots::Slots;
use crate::rt::{self, JoinHandle};
use crate::state::shared::{Shared, Ticket};
use crate::task::handle::{Started, Task};
use crate::task::work::{End, Extra, IntoEnd, Record, Work};

/// What is set about a task.
pub(crate) struct Launch<'s> {
    scope: &'s Spawner,
    location: Place,
    pub(crate) name: Option<Name>,
    pub(crate) span: Option<Span>,
    pub(crate) under: Option<Context>,
    pub(crate) until: Option<Context>,
    pub(crate) background: bool,
    pub(crate) isolated: bool,
    slot: Option<Held<'s>>,
}

/// A slot that no task has yet; given back when dropped.
struct Held<'s>(&'s Slots);

impl Held<'_> {
    /// It goes with the task from here on.
    fn pass_on(self) {
        let _never_dropped = std::mem::ManuallyDrop::new(self);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Where a refusal is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// In the scope, which remembers it: no caller has to look.
    IsKept,
    /// At the caller, which gets it as an error.
    IsReturned,
}

impl<'s> Launch<'s> {
    #[inline]
    pub(crate) fn new(scope: &'s Spawner, location: Place) -> Self {
        Self {
            scope,
            location,
            name: None,
            span: None,
            under: None,
            until: None,
            background: false,
            isolated: false,
            slot: None,
        }
    }

    pub(crate) fn who(&self) -> Who {
        Who {
            name: self.name.clone(),
            location: self.location,
        }
    }

    /// Background tasks take no slots.
    #[inline]
    fn slots(&self) -> Option<&'s Slots> {
        match self.background {
            true => None,
            false => self.scope.shared.slots.as_deref(),
        }
    }

    /// Takes a slot where tasks need one, unless it has one. The limit, if all are taken.
    #[inline]
    pub(crate) fn claim(&mut self) -> Result<(), usize> {
        match self.slots() {
            None => self.slot = None,
            Some(_) if self.slot.is_some() => {}
            Some(slots) if slots.try_take() => self.slot = Some(Held(slots)),
            Some(slots) => return Err(slots.limit()),
        }
        Ok(())
    }

    /// Waits for a slot where tasks need one, or for the end of the context.
    pub(crate) async fn wait_for_slot(&mut self) -> Result<(), Cancelled> {
        let ctx = self.under.as_ref().unwrap_or(self.scope.intake());
        let Some(slots) = self.slots() else {
            return ctx.check();
        };
        let mut line = Line { slots, place: None };
        let mut ended = pin!(ctx.done());
        poll_fn(|cx| {
            // The end is asked first: a slot that came free because of it
            // starts nothing.
            if let Poll::Ready(cancelled) = ended.as_mut().poll(cx) {
                return Poll::Ready(Err(cancelled));
            }
            match slots.poll_take(&mut line.place, cx.waker()) {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        })
        .await?;
        self.slot = Some(Held(slots));
        Ok(())
    }

    /// Counts the task, unless the scope is over, its context has ended, or
    /// there is no runtime.
    #[inline]
    fn admit(&self, refusal: Refusal) -> Result<(Ticket, Context), Cancelled> {
        let scopes = self.scope.context();
        let ticket = Ticket::enter(&self.scope.shared).ok_or_else(|| self.scope_is_over())?;
        let (ticket, ctx) = match self.background || self.has_own_context() {
            false => (ticket, scopes.clone()),
            true => self.enter_elsewhere(ticket)?,
        };
        // A background task is asked later than the scope, and does not begin later. A deadline
        // that passed since anybody looked is seen by the task, and need not be looked for here.
        let scopes = (self.background && self.under.is_none()).then_some(scopes);
        let ended = match owner::has_ended(&ctx) {
            true => Some(&ctx),
            false => scopes.filter(|scopes| owner::has_ended(scopes)),
        };
        if let Some(ended) = ended {
            if let Some(cancelled) = self.stopped(&ticket, ended, refusal) {
                return Err(cancelled);
            }
        }
        if !rt::is_running() {
            return Err(self.lost(&ticket));
        }
        Ok((ticket, ctx))
    }

    fn has_own_context(&self) -> bool {
        self.under.is_some() || self.until.is_some()
    }

    /// Counts a background task in its own ledger, and makes the context of a task that has one
    /// of its own.
    #[inline(never)]
    fn enter_elsewhere(&self, ticket: Ticket) -> Result<(Ticket, Context), Cancelled> {
        let (mut ticket, mut ctx) = (ticket, self.scope.context().clone());
        if self.background {
            let entered = self.scope.shared.enter_background(&ticket, &ctx);
            (ticket, ctx) = entered.ok_or_else(|| self.scope_is_over())?;
        }
        if self.has_own_context() {
            ctx = self.own_context(&ticket, ctx);
        }
        Ok((ticket, ctx))
    }

    /// The context of a task that has one of its own.
    fn own_context(&self, ticket: &Ticket, scopes: Context) -> Context {
        let ctx = match &self.under {
            Some(other) => other.clone(),
            None => scopes,
        };
        let ctx = match &self.until {
            Some(end) => ctx.merge(end),
            None => ctx,
        };
        // What is dropped under that context comes to the scope that waits for the task.
        let home: Weak<Shared> = Arc::downgrade(ticket.shared());
        let lifetime = owner::attach(&ctx, home, self.location);
        owner::with_values_of(&lifetime, &ctx).unwrap_or_else(|| owner::context(&lifetime).clone())
    }

    #[cold]
    #[inline(never)]
    fn scope_is_over(&self) -> Cancelled {
        owner::cancelled(Reason::ScopeFinished, self.scope.shared.location, None)
    }

    /// Why the context of a task that wanted to start has ended.
    #[cold]
    #[inline(never)]
    fn stopped(&self, ticket: &Ticket, ctx: &Context, refusal: Refusal) -> Option<Cancelled> {
        let cancelled = ctx.err()?;
        // The end of a context of its own is the task's affair.
        let is_scopes = self.scope.shared.context().is_done();
        if refusal == Refusal::IsKept && is_scopes && !self.isolated {
            // While the ticket keeps the scope's result open.
            ticket.shared().task_stopped(cancelled.clone());
        }
        Some(cancelled)
    }

    /// There is no runtime to run it.
    #[cold]
    #[inline(never)]
    fn lost(&self, ticket: &Ticket) -> Cancelled {
        let why = "there is no tokio runtime here".to_owned();
        self.unstarted(Some(ticket), Reason::TaskLost, why)
    }

    /// All slots are taken.
    #[cold]
    #[inline(never)]
    fn full(&self, limit: usize) -> Cancelled {
        let ticket = Ticket::enter(&self.scope.shared);
        let why = match limit {
            1 => "its scope has a limit of 1 task".to_owned(),
            limit => format!("its scope has a limit of {limit} tasks"),
        };
        self.unstarted(ticket.as_ref(), Reason::LimitReached, why)
    }

    fn unstarted(&self, ticket: Option<&Ticket>, reason: Reason, why: String) -> Cancelled {
        let cancelled = TaskFailure::new(&self.who(), reason, Some(why)).cancelled();
        if let (Some(ticket), false) = (ticket, self.isolated) {
            ticket.shared().task_lost(cancelled.clone());
        }
        cancelled
    }

    /// Starts the task with `spawn`, writes it into the ledger and makes its handle. A task that
    /// cannot start is refused in its handle.
    #[inline]
    pub(crate) fn start<V>(
        &mut self,
        kind: TaskKind,
        spawn: impl FnOnce(Record, Context) -> JoinHandle<Result<V, Cancelled>>,
    ) -> Result<Started<V>, (Cancelled, Who)> {
        let admitted = match self.claim() {
            Ok(()) => self.admit(Refusal::IsKept),
            Err(limit) => Err(self.full(limit)),
        };
        match admitted {
            Ok(admitted) => Ok(self.start_admitted(kind, admitted, spawn)),
            Err(cancelled) => {
                // What it captured may panic when it is dropped. If that came after the value
                // that is returned was made, nothing would drop that one (rust-lang/rust#47949).
                drop(spawn);
                drop_quietly(self.span.take());
                Err((cancelled, self.who()))
            }
        }
    }

    /// The same for a caller that gets the refusal. The slot was taken before.
    pub(crate) fn start_in_slot<V>(
        &mut self,
        kind: TaskKind,
        spawn: impl FnOnce(Record, Context) -> JoinHandle<Result<V, Cancelled>>,
    ) -> Result<Started<V>, Cancelled> {
        match self.admit(Refusal::IsReturned) {
            Ok(admitted) => Ok(self.start_admitted(kind, admitted, spawn)),
            Err(cancelled) => {
                drop(spawn); // as above
                drop_quietly(self.span.take());
                Err(cancelled)
            }
        }
    }

    /// The span to run the task in; none if the subscriber panics.
    #[inline]
    fn take_span(&mut self) -> Option<Span> {
        let span = match self.span.take() {
            Some(span) => span,
            // No subscriber reads spans.
            None if LevelFilter::current() == LevelFilter::OFF => return None,
            None => quietly(Span::current)?,
        };
        (!span.is_disabled()).then_some(span)
    }

    /// A panic of `spawn` drops the record, and with it slot and ticket.
    #[inline]
    fn start_admitted<V>(
        &mut self,
        kind: TaskKind,
        (ticket, ctx): (Ticket, Context),
        spawn: impl FnOnce(Record, Context) -> JoinHandle<Result<V, Cancelled>>,
    ) -> Started<V> {
        // A background task is written down in the background's own ledger.
        let background = self.background.then(|| ticket.shared().clone());
        let home = background.as_ref().unwrap_or(&self.scope.shared);
        let since = home.time();
        let own = self.has_own_context().then(|| ctx.clone());
        let span = self.take_span();
        let extra = Extra::of(self.name.clone(), span, own, self.isolated);
        if let Some(slot) = self.slot.take() {
            slot.pass_on();
        }
        let handle = spawn(Record::new(ticket, self.location, extra), ctx);
        let abort = handle.abort_handle();
        let entry = || Entry::new(abort, self.who(), kind, since);
        home.ledger.write(entry);
        Started {
            handle,
            who: self.who(),
            // Only a scope that aborts is asked why a task was dropped.
            home: home.grace().is_some().then(|| home.clone()),
        }
    }

    /// Spawns a task that says itself what its end means to the scope; a refusal
    /// is the caller's to tell.
    pub(crate) fn launch_excused<T, E, F, Fut>(mut self, f: F) -> Result<Task<T>, Cancelled>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = End<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        if let Err(limit) = self.claim() {
            let cancelled = self.full(limit);
            drop(f); // as in `start`
            return Err(cancelled);
        }
        let started = self.start_in_slot(TaskKind::Cooperative, cooperative::<E, _, _>(f))?;
        Ok(Task::running(started))
    }
}

/// Starts a cooperative task.
#[inline]
pub(crate) fn cooperative<E, F, Fut>(
    f: F,
) -> impl FnOnce(Record, Context) -> JoinHandle<Result<ValueOf<Fut, E>, Cancelled>>
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output: IntoEnd<E, Value: Send + 'static>> + Send + 'static,
    E: Send + 'static,
{
    |record, ctx| {
        let future = f(ctx);
        rt::spawn(Work::<_, E>::new(future, record))
    }
}

/// What a future that runs as a task gives to the code that awaits it.
type ValueOf<Fut, E> = <<Fut as Future>::Output as IntoEnd<E>>::Value;

/// A place in the line for a slot, given up when dropped.
struct Line<'a> {
    slots: &'a Slots,
    place: Option<u64>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.place {
            self.slots.give_up(id);
        }
    }
}
