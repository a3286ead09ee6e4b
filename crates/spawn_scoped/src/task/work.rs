//! What runs in the runtime: the user's future or closure, in a wrapper that
//! lets go of everything of the user's before the scope counts it as finished.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;

use pin_project_lite::pin_project;
use tokio_ctx_core::Cancelled;

use crate::data::failure::Payload;
use crate::foreign::drop_quietly;
use crate::sync::catch;
use crate::task::output::Spawns;
use crate::task::record::Record;

/// What the end of a task means. Runs in the task.
pub(crate) trait Ends<O> {
    type Value;

    fn end(record: &Record, ended: Result<O, Payload>) -> Result<Self::Value, Cancelled>;
}

/// Tasks of `S`.
pub(crate) struct Plain<S>(PhantomData<fn() -> S>);

impl<S: Spawns<O>, O> Ends<O> for Plain<S> {
    type Value = S::Value;

    #[inline]
    fn end(record: &Record, ended: Result<O, Payload>) -> Result<S::Value, Cancelled> {
        match ended {
            Ok(output) => {
                record.report_output(|| S::failure(&output));
                S::value_of(output).map_err(|error| record.failed(error))
            }
            Err(payload) => Err(record.panicked(payload)),
        }
    }
}

/// The same, if the end of their context does not keep them from their own.
pub(crate) struct Cancellable<S>(PhantomData<fn() -> S>);

impl<S: Spawns<O>, O> Ends<Result<O, Cancelled>> for Cancellable<S> {
    type Value = S::Value;

    fn end(
        record: &Record,
        ended: Result<Result<O, Cancelled>, Payload>,
    ) -> Result<S::Value, Cancelled> {
        match ended {
            Ok(Err(cancelled)) => Err(record.stopped(cancelled)),
            Ok(Ok(output)) => Plain::<S>::end(record, Ok(output)),
            Err(payload) => Err(record.panicked(payload)),
        }
    }
}

pin_project! {
    /// A task's future.
    pub(crate) struct Work<F, S> {
        // `None` once finished. Dropped before the record gives the ticket back, always.
        #[pin]
        future: Option<F>,
        record: Record,
        of: PhantomData<fn() -> S>,
    }

    impl<F, S> PinnedDrop for Work<F, S> {
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

impl<F, S> Work<F, S> {
    #[inline]
    pub(crate) fn new(future: F, record: Record) -> Self {
        Self {
            future: Some(future),
            record,
            of: PhantomData,
        }
    }
}

impl<F, S> Future for Work<F, S>
where
    F: Future,
    S: Ends<F::Output>,
{
    type Output = Result<S::Value, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let entered = this.record.enter();
        let mut ended = None;
        let caught = catch(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return;
            };
            if let Poll::Ready(output) = future.poll(cx) {
                ended = Some(Ok(output));
                // Invariant 2 of the ledger: the future goes before the ticket does.
                this.future.set(None);
            }
        });
        if let Err(payload) = caught {
            // Either its poll panicked, or after a good end its drop did.
            drop_future(this.future.as_mut());
            drop_quietly(ended.replace(Err(payload)));
        }
        drop_quietly(entered);
        let Some(ended) = ended else {
            return Poll::Pending;
        };
        let result = S::end(this.record, ended);
        this.record.leave();
        Poll::Ready(result)
    }
}
