//! What runs in the runtime: the user's future or closure, in a wrapper that
//! lets go of everything of the user's before the scope counts it as finished.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Poll, ready};

use pin_project_lite::pin_project;
use tokio_ctx_core::future::Run;
use tokio_ctx_core::{Cancelled, Context};
use tracing::Span;
use tracing::span::Entered;

use crate::data::entry::{Place, Who};
use crate::data::failure::Payload;
use crate::data::text::Name;
use crate::foreign::{drop_quietly, quietly};
use crate::state::shared::Ticket;
use crate::sync::catch;
use crate::task::output::TaskOutput;

/// How the user's part of a task ended.
pub(crate) enum End<T, E> {
    Ended(Result<T, E>),
    Panicked(Payload),
    /// The end of its context kept it from its own.
    Stopped(Cancelled),
    /// It failed, but that does not concern the scope: another owner has the
    /// error.
    Excused(Cancelled),
    /// It failed when that no longer mattered.
    Late(E),
}

/// The output of a future that is run as a task.
pub(crate) trait IntoEnd<E> {
    type Value;

    fn into_end(self) -> End<Self::Value, E>;
}

impl<O: TaskOutput<E>, E> IntoEnd<E> for O {
    type Value = O::Value;

    #[inline]
    fn into_end(self) -> End<O::Value, E> {
        End::Ended(self.into_result())
    }
}

impl<T, E> IntoEnd<E> for End<T, E> {
    type Value = T;

    fn into_end(self) -> Self {
        self
    }
}

/// A task as the ledger sees it, until it is finished. It gives back the slot and then the
/// ticket, at the latest when it is dropped.
pub(crate) struct Record {
    pub(super) ticket: Ticket,
    location: Place,
    /// In a box, since most tasks have neither: every word here is one more in each task.
    extra: Option<Box<Extra>>,
}

pub(crate) struct Extra {
    name: Option<Name>,
    span: Option<Span>,
    /// The task's own context, where that is not the scope's: its end is the task's affair.
    own: Option<Context>,
    /// What becomes of the task decides nothing.
    isolated: bool,
}

impl Extra {
    #[inline]
    pub(crate) fn of(
        name: Option<Name>,
        span: Option<Span>,
        own: Option<Context>,
        isolated: bool,
    ) -> Option<Box<Extra>> {
        match (name, span, own, isolated) {
            (None, None, None, false) => None,
            (name, span, own, isolated) => Extra::boxed(Extra {
                name,
                span,
                own,
                isolated,
            }),
        }
    }

    #[cold]
    #[inline(never)]
    fn boxed(extra: Extra) -> Option<Box<Extra>> {
        Some(Box::new(extra))
    }
}

impl Record {
    /// Takes over a ticket, and the slot that goes with it where tasks have slots.
    #[inline]
    pub(crate) fn new(ticket: Ticket, location: Place, extra: Option<Box<Extra>>) -> Self {
        Self {
            ticket,
            location,
            extra,
        }
    }

    fn who(&self) -> Who {
        Who {
            name: self.extra.as_ref().and_then(|extra| extra.name.clone()),
            location: self.location,
        }
    }

    fn is_isolated(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.isolated)
    }

    /// Why the task was asked to stop, if its own context ended and the scope's did not.
    fn asked_alone(&self) -> Option<Cancelled> {
        let own = self.extra.as_ref()?.own.as_ref()?;
        let cancelled = own.err()?;
        (!self.ticket.shared().context().is_done()).then_some(cancelled)
    }

    /// Enters the span of the task.
    #[inline]
    pub(super) fn enter(&self) -> Option<Entered<'_>> {
        let span = self.extra.as_ref()?.span.as_ref()?;
        quietly(|| span.enter())
    }

    /// Tells the scope how the task ended, and leaves it. Everything of the
    /// user's is gone by now, except for what is in `end`.
    #[inline]
    pub(super) fn finish<T, E: Send + 'static>(&mut self, end: End<T, E>) -> Result<T, Cancelled> {
        let result = match end {
            End::Ended(Ok(value)) => Ok(value),
            end => Err(self.without_value(end)),
        };
        self.leave();
        result
    }

    #[cold]
    #[inline(never)]
    fn without_value<T, E: Send + 'static>(&self, end: End<T, E>) -> Cancelled {
        let entered = self.enter();
        let (shared, who) = (self.ticket.shared(), self.who());
        let cancelled = match end {
            End::Ended(Ok(_)) => unreachable!("that is a value"),
            End::Ended(Err(error)) => match self.asked_alone() {
                Some(cancelled) => {
                    shared.task_failed_late(&who, Box::new(error));
                    cancelled
                }
                None => shared.task_failed(&who, Box::new(error)),
            },
            End::Panicked(payload) => shared.task_panicked(&who, payload),
            End::Stopped(cancelled) => {
                if self.asked_alone().is_none() && !self.is_isolated() {
                    shared.task_stopped(cancelled.clone());
                }
                cancelled
            }
            End::Excused(cancelled) => cancelled,
            End::Late(error) => shared.task_failed_late(&who, Box::new(error)),
        };
        drop_quietly(entered);
        cancelled
    }

    /// The task is dropped before its end. `drop_users` drops what is the user's.
    #[cold]
    #[inline(never)]
    pub(super) fn lose(&mut self, drop_users: impl FnOnce()) {
        {
            let entered = self.enter();
            drop_users();
            self.ticket
                .shared()
                .task_dropped(&self.who(), self.is_isolated());
            drop_quietly(entered);
        }
        self.leave();
    }

    /// The spawn came to nothing.
    #[cold]
    #[inline(never)]
    fn leave_unstarted(&mut self) {
        self.leave();
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(extra) = &mut self.extra {
            // Invariant 2 of the ledger holds for every context of the task, and its span.
            extra.own = None;
            drop_quietly(extra.span.take());
        }
        if let Some(slots) = &self.ticket.shared().slots {
            slots.give_back();
        }
        self.ticket.give_back();
    }
}

impl Drop for Record {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_held() {
            self.leave_unstarted();
        }
    }
}

pin_project! {
    /// A task's future.
    pub(crate) struct Work<F, E> {
        // `None` once finished. Dropped before the record gives the ticket back, always.
        #[pin]
        future: Option<F>,
        record: Record,
        error: PhantomData<fn() -> E>,
    }

    impl<F, E> PinnedDrop for Work<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.record.ticket.is_held() {
                this.record.lose(|| drop_future(this.future));
            }
        }
    }
}

/// A panic in the drop of a future that did not end well is swallowed: its task has failed already.
#[cold]
#[inline(never)]
fn drop_future<F>(mut future: Pin<&mut Option<F>>) {
    drop_quietly(catch(|| future.set(None)));
}

impl<F, E> Work<F, E> {
    #[inline]
    pub(crate) fn new(future: F, record: Record) -> Self {
        Self {
            future: Some(future),
            record,
            error: PhantomData,
        }
    }
}

impl<F, E> Future for Work<F, E>
where
    F: Future<Output: IntoEnd<E>>,
    E: Send + 'static,
{
    type Output = Result<<F::Output as IntoEnd<E>>::Value, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let entered = this.record.enter();
        let mut ended = None;
        let caught = catch(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return;
            };
            if let Poll::Ready(output) = future.poll(cx) {
                ended = Some(output.into_end());
                // Invariant 2 of the ledger: the future goes before the ticket does.
                this.future.set(None);
            }
        });
        if let Err(payload) = caught {
            // Either its poll panicked, or after a good end its drop did.
            drop_future(this.future.as_mut());
            drop_quietly(ended.replace(End::Panicked(payload)));
        }
        drop_quietly(entered);
        let Some(end) = ended else {
            return Poll::Pending;
        };
        Poll::Ready(this.record.finish(end))
    }
}

pin_project! {
    /// A future that its context ends.
    pub(crate) struct Cancellable<F, E> {
        #[pin]
        run: Run<F>,
        error: PhantomData<fn() -> E>,
    }
}

impl<F: Future, E> Cancellable<F, E> {
    pub(crate) fn new(ctx: &Context, future: F) -> Self {
        Self {
            run: ctx.run(future),
            error: PhantomData,
        }
    }
}

impl<F, E> Future for Cancellable<F, E>
where
    F: Future<Output: TaskOutput<E>>,
{
    type Output = End<<F::Output as TaskOutput<E>>::Value, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().run.poll(cx)) {
            Ok(output) => End::Ended(output.into_result()),
            Err(cancelled) => End::Stopped(cancelled),
        })
    }
}
