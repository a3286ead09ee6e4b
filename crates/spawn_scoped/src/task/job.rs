//! Closures on the blocking pool: in its queue, and then on one of its threads.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context, OnCancel};

use crate::foreign::drop_quietly;
use crate::rt::{self, Job, JoinHandle, Promise, Queued};
use crate::sync::{Flag, Mutex, catch};
use crate::task::output::Spawns;
use crate::task::record::Record;
use crate::task::work::{Ends, Plain};

/// A place in the queue. The pool holds it. A thread of the pool, the end of the context, or an
/// abort takes the job out of it; the first of them decides whether the job begins. Dropped with
/// the job, as by a runtime that goes away, it says that the job was lost.
struct Place<F, T, S> {
    /// `None` once it was taken out.
    waiting: Mutex<Option<Waiting<F, T>>>,
    is_over: Flag,
    of: PhantomData<fn() -> S>,
}

struct Waiting<F, T> {
    call: F,
    ctx: Context,
    record: Record,
    promise: Promise<Result<T, Cancelled>>,
    /// What gives the job up when its context ends.
    registration: Option<OnCancel>,
}

impl<F, T> Waiting<F, T> {
    /// It does not begin: its context has ended, or it is lost.
    fn give_up(mut self, ended: Option<Cancelled>) {
        let users = (self.call, self.ctx);
        match ended {
            Some(cancelled) => {
                drop_quietly(users);
                let cancelled = self.record.stopped(cancelled);
                self.record.leave();
                self.promise.keep(Err(cancelled));
            }
            None => self.record.lose(|| drop_quietly(users)),
        }
    }
}

/// Queues `call` on the blocking pool.
#[track_caller]
pub(crate) fn queue<S, F, O>(
    call: F,
    ctx: Context,
    record: Record,
) -> JoinHandle<Result<S::Value, Cancelled>>
where
    S: Spawns<O, Value: Send + 'static> + 'static,
    F: FnOnce(Context) -> O + Send + 'static,
{
    let (promise, promised) = rt::promise();
    let asked = ctx.clone();
    let waiting = Waiting {
        call,
        ctx,
        record,
        promise,
        registration: None,
    };
    let place = Place::<F, S::Value, S> {
        waiting: Mutex::new(Some(waiting)),
        is_over: Flag::new(),
        of: PhantomData,
    };
    let job: Arc<Job> = Arc::new(Box::new(place));
    // A runtime that goes away drops its queue, and nothing else may keep the job.
    let weak = Arc::downgrade(&job);
    let given_up = weak.clone();
    rt::spawn_blocking(job);
    let handle = JoinHandle::Job(promised, weak.clone());
    let registration = asked.on_cancel(move |cancelled| {
        if let Some(job) = given_up.upgrade() {
            job.give_up(Some(cancelled.clone()));
        }
    });
    // Dropped here if the job is not in the queue any more.
    let _late = match weak.upgrade() {
        Some(job) => job.register(registration),
        None => Some(registration),
    };
    handle
}

impl<F, O, T, S> Queued for Place<F, T, S>
where
    F: FnOnce(Context) -> O + Send,
    T: Send,
    S: Spawns<O, Value = T>,
{
    fn begin(&self) {
        let Some(mut waiting) = self.waiting.lock().take() else {
            return;
        };
        drop(waiting.registration.take());
        // Nobody may have seen the end of the context yet.
        if let Some(cancelled) = waiting.ctx.err() {
            waiting.give_up(Some(cancelled));
        } else {
            let (call, ctx, mut record) = (waiting.call, waiting.ctx, waiting.record);
            // The closure's captures and the context are dropped by the call.
            let entered = record.enter();
            let ended = catch(move || call(ctx));
            drop_quietly(entered);
            let result = Plain::<S>::end(&record, ended);
            record.leave();
            waiting.promise.keep(result);
        }
        self.is_over.raise();
    }

    fn give_up(&self, ended: Option<Cancelled>) {
        let taken = self.waiting.lock().take();
        if let Some(waiting) = taken {
            waiting.give_up(ended);
            self.is_over.raise();
        }
    }

    fn register(&self, registration: OnCancel) -> Option<OnCancel> {
        match &mut *self.waiting.lock() {
            Some(waiting) => waiting.registration.replace(registration),
            None => Some(registration),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_over.is_raised()
    }
}

impl<F, T, S> Drop for Place<F, T, S> {
    fn drop(&mut self) {
        let taken = self.waiting.lock().take();
        if let Some(waiting) = taken {
            waiting.give_up(None);
        }
    }
}
