//! A task as the ledger sees it: the ticket, and what is said of the task when it ends.

use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::Span;
use tracing::span::Entered;

use crate::data::entry::{Place, Who};
use crate::data::failure::{ErasedError, Payload, TaskFailure, panic_message};
use crate::data::text::{Name, one_line};
use crate::foreign::{drop_quietly, quietly};
use crate::state::shared::{Shared, Ticket};
use crate::task::report::Report;

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
    /// For a task whose end decides nothing.
    report: Option<Arc<Report>>,
}

impl Extra {
    #[inline]
    pub(crate) fn of(
        name: Option<Name>,
        span: Option<Span>,
        own: Option<Context>,
        report: Option<Arc<Report>>,
    ) -> Option<Box<Extra>> {
        match (name, span, own, report) {
            (None, None, None, None) => None,
            (name, span, own, report) => Extra::boxed(Extra {
                name,
                span,
                own,
                report,
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

    pub(crate) fn who(&self) -> Who {
        Who {
            name: self.extra.as_ref().and_then(|extra| extra.name.clone()),
            location: self.location,
        }
    }

    fn own(&self) -> Option<&Context> {
        self.extra.as_ref()?.own.as_ref()
    }

    /// The context of the task.
    fn context(&self) -> &Context {
        self.own().unwrap_or(self.ticket.shared().context())
    }

    /// Where the failure of an isolated task is put.
    fn report(&self) -> Option<&Report> {
        self.extra.as_ref()?.report.as_deref()
    }

    /// Why the task was asked to stop, if its own context ended and the scope's did not.
    fn asked_alone(&self) -> Option<Cancelled> {
        let cancelled = self.own()?.err()?;
        (!self.ticket.shared().context().is_done()).then_some(cancelled)
    }

    /// Enters the span of the task.
    #[inline]
    pub(super) fn enter(&self) -> Option<Entered<'_>> {
        let span = self.extra.as_ref()?.span.as_ref()?;
        quietly(|| span.enter())
    }

    /// The end of its context kept the task from its own.
    #[cold]
    pub(super) fn stopped(&self, cancelled: Cancelled) -> Cancelled {
        if self.asked_alone().is_none() && self.report().is_none() {
            self.ticket.shared().task_stopped(cancelled.clone());
        }
        cancelled
    }

    /// The task failed. Returns what the code that awaits it gets.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&self, error: ErasedError) -> Cancelled {
        match self.asked_alone() {
            Some(cancelled) => {
                self.failed_late(error);
                cancelled
            }
            None => self.tell(|shared, who| shared.task_failed(who, error, true)),
        }
    }

    /// It failed when that no longer mattered.
    pub(crate) fn failed_late(&self, error: ErasedError) -> Cancelled {
        self.tell(|shared, who| shared.task_failed(who, error, false))
    }

    /// The task panicked. Returns what the code that awaits it gets.
    #[cold]
    #[inline(never)]
    pub(crate) fn panicked(&self, payload: Payload) -> Cancelled {
        let Some(report) = self.report() else {
            return self.tell(|shared, who| shared.task_panicked(who, payload));
        };
        let text = panic_message(&payload);
        drop_quietly(payload);
        let failure = TaskFailure::new(&self.who(), Reason::TaskPanicked, text);
        let cancelled = failure.cancelled();
        report.put(failure);
        cancelled
    }

    /// Reports what an isolated task returned, if that is a failure and says more than that the
    /// context has ended.
    pub(super) fn report_output(&self, failure: impl FnOnce() -> Option<String>) {
        let Some(report) = self.report() else { return };
        let text = quietly(|| {
            let text = failure()?;
            match self.context().err() {
                Some(cancelled) if text.contains(&cancelled.to_string()) => None,
                _ => Some(one_line(text.into()).into_owned()),
            }
        });
        if let Some(text) = text.flatten() {
            report.put(TaskFailure::new(
                &self.who(),
                Reason::TaskFailed,
                Some(text),
            ));
        }
    }

    /// In the span of the task.
    fn tell<R>(&self, tell: impl FnOnce(&Arc<Shared>, &Who) -> R) -> R {
        let entered = self.enter();
        let told = tell(self.ticket.shared(), &self.who());
        drop_quietly(entered);
        told
    }

    /// The task is dropped before its end. `drop_users` drops what is the user's.
    #[cold]
    #[inline(never)]
    pub(super) fn lose(&mut self, drop_users: impl FnOnce()) {
        self.tell(|shared, who| {
            drop_users();
            shared.task_dropped(who, self.report().is_some());
        });
        self.leave();
    }

    /// The spawn came to nothing.
    #[cold]
    #[inline(never)]
    fn leave_unstarted(&mut self) {
        self.leave();
    }

    /// Everything of the user's is gone by now, except for how the task ended.
    #[inline]
    pub(super) fn leave(&mut self) {
        if let Some(extra) = &mut self.extra {
            // Invariant 2 of the ledger holds for every context of the task, and its span.
            extra.own = None;
            extra.report = None;
            drop_quietly(extra.span.take());
        }
        self.ticket.shared().give_slot_back();
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
