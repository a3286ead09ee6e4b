//! Closures on the blocking pool: in its queue, and then on one of its threads.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context, OnCancel};

use crate::foreign::drop_quietly;
use crate::rt::{self, Job, JoinHandle, Promise, Queued};
use crate::sync::{Mutex, catch};
use crate::task::work::{End, Record};

/// A closure with its context.
struct Call<F> {
    /// `None` once it runs.
    call: Option<(F, Context)>,
    record: Record,
}

impl<F> Call<F> {
    fn run<T, E>(mut self) -> Result<T, Cancelled>
    where
        F: FnOnce(Context) -> Result<T, E>,
        E: Send + 'static,
    {
        let Some((call, ctx)) = self.call.take() else {
            unreachable!("a job is made with a call and run once");
        };
        // The closure's captures and the context are dropped by the call.
        let entered = self.record.enter();
        let end = match catch(move || call(ctx)) {
            Ok(result) => End::Ended(result),
            Err(payload) => End::Panicked(payload),
        };
        drop_quietly(entered);
        self.record.finish(end)
    }

    /// Its context has ended before it began.
    fn stop<T, E: Send + 'static>(mut self, cancelled: Cancelled) -> Result<T, Cancelled> {
        drop_quietly(self.call.take());
        self.record.finish(End::<T, E>::Stopped(cancelled))
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
struct Place<F, T, E> {
    stage: Mutex<Stage<F, T>>,
    error: PhantomData<fn() -> E>,
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
pub(crate) fn queue<F, T, E>(
    call: F,
    ctx: Context,
    record: Record,
) -> JoinHandle<Result<T, Cancelled>>
where
    F: FnOnce(Context) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let (promise, promised) = rt::promise();
    let asked = ctx.clone();
    let call = Some((call, ctx));
    let waiting = Waiting {
        job: Call { call, record },
        promise,
        registration: None,
    };
    let place = Place {
        stage: Mutex::new(Stage::Waiting(waiting)),
        error: PhantomData::<fn() -> E>,
    };
    let job: Arc<Job> = Arc::new(Box::new(place));
    // A runtime that goes away drops its queue, and nothing else may keep the job.
    let weak = Arc::downgrade(&job);
    let given_up = weak.clone();
    let handle = rt::spawn_blocking(job, promised);
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

impl<F, T, E> Place<F, T, E>
where
    F: FnOnce(Context) -> Result<T, E>,
    E: Send + 'static,
{
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

impl<F, T, E> Queued for Place<F, T, E>
where
    F: FnOnce(Context) -> Result<T, E> + Send,
    T: Send,
    E: Send + 'static,
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
            Some(cancelled) => job.stop::<T, E>(cancelled),
            None => job.run(),
        });
        *self.stage.lock() = Stage::Over;
    }

    fn give_up(&self, ended: Option<Cancelled>) {
        let Some(waiting) = self.take(Stage::Over) else {
            return;
        };
        let Waiting { job, promise, .. } = waiting;
        match ended {
            Some(cancelled) => promise.keep(job.stop::<T, E>(cancelled)),
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
