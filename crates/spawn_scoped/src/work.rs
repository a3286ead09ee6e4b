//! What runs in the runtime: the user's future or closure, in a wrapper that
//! lets go of everything of the user's before the scope counts it as finished.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Poll, ready};

use pin_project_lite::pin_project;
use tokio_ctx::future::Run;
use tokio_ctx::{Cancelled, Context};
use tracing::Span;

use crate::entry::Who;
use crate::failure::Payload;
use crate::shared::drop_quietly;
use crate::sync::catch;
use crate::ticket::Ticket;

/// How the user's part of a task ended.
pub(crate) enum End<T, E> {
    Ended(Result<T, E>),
    Panicked(Payload),
    /// The end of its context kept it from its own.
    Stopped(Cancelled),
    /// It failed, but that is not the scope's business: somebody else has the
    /// error.
    Excused(Cancelled),
    /// It failed when that did not matter to anybody any more.
    Late(E),
}

impl<T, E> From<Result<T, E>> for End<T, E> {
    fn from(result: Result<T, E>) -> Self {
        End::Ended(result)
    }
}

/// A task as the ledger sees it, until it is finished. Its drop gives back the
/// slot, then the ticket.
pub(crate) struct Record {
    ticket: Ticket,
    who: Who,
}

impl Record {
    /// Takes over a ticket, and the slot that goes with it where tasks have slots.
    pub(crate) fn new(ticket: Ticket, who: Who) -> Self {
        Self { ticket, who }
    }

    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// Tells the scope how the task ended, and leaves it. Everything of the
    /// user's is gone by now, save what is in `end`.
    fn finish<T, E: Send + 'static>(self, end: End<T, E>) -> Result<T, Cancelled> {
        let shared = self.ticket.shared();
        match end {
            End::Ended(Ok(value)) => Ok(value),
            End::Ended(Err(error)) => Err(shared.task_failed(&self.who, Box::new(error))),
            End::Panicked(payload) => Err(shared.task_panicked(&self.who, payload)),
            End::Stopped(cancelled) => {
                shared.task_stopped(cancelled.clone());
                Err(cancelled)
            }
            End::Excused(cancelled) => Err(cancelled),
            End::Late(error) => Err(shared.task_failed_late(&self.who, Box::new(error))),
        }
    }

    /// The task was dropped before its end.
    fn lose(self) {
        self.ticket.shared().task_dropped(&self.who);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(slots) = &self.ticket.shared().slots {
            slots.give_back();
        }
    }
}

pin_project! {
    /// A task's future.
    pub(crate) struct Work<F, T, E> {
        // `None` once finished. Dropped before the record, always.
        #[pin]
        future: Option<F>,
        // `None` once finished.
        record: Option<Record>,
        span: Option<Box<Span>>,
        result: PhantomData<fn() -> (T, E)>,
    }

    impl<F, T, E> PinnedDrop for Work<F, T, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(record) = this.record.take() {
                let _entered = this.span.as_ref().map(|span| span.enter());
                let dropped = catch(|| this.future.set(None));
                drop_quietly(dropped);
                record.lose();
            }
        }
    }
}

impl<F, T, E> Work<F, T, E> {
    pub(crate) fn new(future: F, record: Record, span: Option<Box<Span>>) -> Self {
        Self {
            future: Some(future),
            record: Some(record),
            span,
            result: PhantomData,
        }
    }
}

impl<F, T, E> Future for Work<F, T, E>
where
    F: Future<Output: Into<End<T, E>>>,
    E: Send + 'static,
{
    type Output = Result<T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.span.as_ref().map(|span| span.enter());
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let mut end = match catch(|| future.poll(cx)) {
            Ok(polled) => ready!(polled).into(),
            Err(payload) => End::Panicked(payload),
        };
        // Invariant 2 of the ledger: the future goes before the ticket does.
        if let Err(payload) = catch(|| this.future.set(None)) {
            let value = std::mem::replace(&mut end, End::Panicked(payload));
            if let End::Panicked(first) = value {
                drop_quietly(std::mem::replace(&mut end, End::Panicked(first)));
            } else {
                drop_quietly(value);
            }
        }
        match this.record.take() {
            Some(record) => Poll::Ready(record.finish(end)),
            None => Poll::Pending,
        }
    }
}

pin_project! {
    /// A future that its context ends.
    pub(crate) struct Cancellable<F> {
        #[pin]
        run: Run<F>,
    }
}

impl<F: Future> Cancellable<F> {
    pub(crate) fn new(ctx: &Context, future: F) -> Self {
        Self {
            run: ctx.run(future),
        }
    }
}

impl<F, T, E> Future for Cancellable<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = End<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().run.poll(cx)) {
            Ok(result) => End::Ended(result),
            Err(cancelled) => End::Stopped(cancelled),
        })
    }
}

/// A closure for a blocking thread, with its context.
pub(crate) struct Job<F> {
    /// Both `None` once it runs.
    call: Option<(F, Context)>,
    record: Option<Record>,
    span: Option<Box<Span>>,
}

impl<F> Job<F> {
    pub(crate) fn new(call: F, ctx: Context, record: Record, span: Option<Box<Span>>) -> Self {
        Self {
            call: Some((call, ctx)),
            record: Some(record),
            span,
        }
    }

    pub(crate) fn run<T, E>(mut self) -> Result<T, Cancelled>
    where
        F: FnOnce(Context) -> Result<T, E>,
        E: Send + 'static,
    {
        let span = self.span.take();
        let _entered = span.as_ref().map(|span| span.enter());
        let (Some((call, ctx)), Some(record)) = (self.call.take(), self.record.take()) else {
            unreachable!("a job is made with both and run once");
        };
        // The closure's captures and the context are dropped by the call.
        let end = match catch(move || call(ctx)) {
            Ok(result) => End::Ended(result),
            Err(payload) => End::Panicked(payload),
        };
        record.finish(end)
    }
}

impl<F> Drop for Job<F> {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            drop_quietly(self.call.take());
            record.lose();
        }
    }
}
