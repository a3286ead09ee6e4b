//! Closures on the blocking pool: in its queue, and then on one of its threads.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context, OnCancel};

use crate::foreign::drop_quietly;
use crate::rt::{self, Job, JoinHandle, Promise, Queued};
use crate::sync::{Mutex, catch};
use crate::task::output::Spawns;
use crate::task::record::Record;
use crate::task::work::{Ends, Plain};

/// A closure with its context.
struct Call<F> {
    /// `None` once it runs.
    call: Option<(F, Context)>,
    record: Record,
}

impl<F> Call<F> {
    fn run<S: Spawns<O>, O>(mut self) -> Result<S::Value, Cancelled>
    where
        F: FnOnce(Context) -> O,
    {
        let Some((call, ctx)) = self.call.take() else {
            unreachable!("a job is made with a call and run once");
        };
        // The closure's captures and the context are dropped by the call.
        let entered = self.record.enter();
        let ended = catch(move || call(ctx));
        drop_quietly(entered);
        let result = Plain::<S>::end(&self.record, ended);
        self.record.leave();
        result
    }

    /// Its context has ended before it began.
    fn stop(mut self, cancelled: Cancelled) -> Cancelled {
        drop_quietly(self.call.take());
        let cancelled = self.record.stopped(cancelled);
        self.record.leave();
        cancelled
    }
}

impl<F> Drop for Call<F> {
    fn drop(&mut self) {
        if self.record.ticket.is_held() {
            let call = self.call.take();
            self.record.lose(|| drop_quietly(call));
        }
    }
}

/// A place in the queue. The pool holds it. A thread of the pool, the end of the context, or an
/// abort takes the job out of it; the first of them decides whether the job begins.
struct Place<F, T, S> {
    stage: Mutex<Stage<F, T>>,
    of: PhantomData<fn() -> S>,
}

enum Stage<F, T> {
    Waiting(Waiting<F, T>),
    Running,
    Over,
}

struct Waiting<F, T> {
    job: Call<F>,
    promise: Promise<Result<T, Cancelled>>,
    /// What gives the job up when its context ends.
    registration: Option<OnCancel>,
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
    let call = Some((call, ctx));
    let waiting = Waiting {
        job: Call { call, record },
        promise,
        registration: None,
    };
    let place = Place::<F, S::Value, S> {
        stage: Mutex::new(Stage::Waiting(waiting)),
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

impl<F, T, S> Place<F, T, S> {
    /// Takes the job out of the queue, if it is there.
    fn take(&self, next: Stage<F, T>) -> Option<Waiting<F, T>> {
        let mut stage = self.stage.lock();
        match std::mem::replace(&mut *stage, next) {
            Stage::Waiting(waiting) => Some(waiting),
            other => {
                *stage = other;
                None
            }
        }
    }
}

impl<F, O, T, S> Queued for Place<F, T, S>
where
    F: FnOnce(Context) -> O + Send,
    T: Send,
    S: Spawns<O, Value = T>,
{
    fn begin(&self) {
        let Some(waiting) = self.take(Stage::Running) else {
            return;
        };
        let Waiting {
            job,
            promise,
            registration,
        } = waiting;
        drop(registration);
        // Nobody may have seen the end of the context yet.
        let ended = job.call.as_ref().and_then(|(_, ctx)| ctx.err());
        promise.keep(match ended {
            Some(cancelled) => Err(job.stop(cancelled)),
            None => job.run::<S, O>(),
        });
        *self.stage.lock() = Stage::Over;
    }

    fn give_up(&self, ended: Option<Cancelled>) {
        let Some(waiting) = self.take(Stage::Over) else {
            return;
        };
        let Waiting { job, promise, .. } = waiting;
        match ended {
            Some(cancelled) => promise.keep(Err(job.stop(cancelled))),
            None => drop((job, promise)),
        }
    }

    fn register(&self, registration: OnCancel) -> Option<OnCancel> {
        match &mut *self.stage.lock() {
            Stage::Waiting(waiting) => waiting.registration.replace(registration),
            Stage::Running | Stage::Over => Some(registration),
        }
    }

    fn is_finished(&self) -> bool {
        matches!(&*self.stage.lock(), Stage::Over)
    }
}
