//! Start with ready: spawn a task and wait until it says that it is up.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use crate::data::entry::{Place, TaskKind};
use crate::data::failure::Payload;
use crate::face::launch::Launch;
use crate::face::scope::Scope;
use crate::foreign::{OnDrop, drop_quietly, wake, whole};
use crate::rt::{self, JoinHandle, Promise};
use crate::sync::Mutex;
use crate::task::handle::Task;
use crate::task::output::TaskOutput;
use crate::task::record::Record;
use crate::task::work::{Ends, Plain, Work};

/// By which a task started with [`Scope::start`] says that it is ready.
///
/// Dropping it unused makes the start fail with [`Reason::NeverReady`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, Ready, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let started = s.start(async |_ctx, ready: Ready<u16>| {
///         ready.set(8080).unwrap();
///         Ok::<_, Cancelled>(())
///     });
///     assert_eq!(started.await?.0, 8080);
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[must_use = "a task that never says that it is ready fails its start"]
pub struct Ready<R>(Arc<dyn Says<R>>);

impl<R> Ready<R> {
    /// Says that the task is ready; from now on it is the scope's.
    ///
    /// # Errors
    ///
    /// The value, if nobody waits for it any more: the start was given up, and the task's
    /// context has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Ready, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let start = s.start(async |_, ready: Ready<u16>| {
    ///         assert_eq!(ready.set(80), Ok(()));
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     assert_eq!(start.await?.0, 80);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn set(self, value: R) -> Result<(), R> {
        self.0.say(value)
    }
}

impl<R> Drop for Ready<R> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

impl<R> fmt::Debug for Ready<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

/// What [`Ready`] can do to the start, whose error type it does not name.
trait Says<R>: Send + Sync {
    fn say(&self, value: R) -> Result<(), R>;
    fn forget(&self);
}

/// What the caller of `start` and the task share. Nothing foreign is woken or dropped under the
/// lock.
struct Start<R, E>(Mutex<State<R, E>>);

struct State<R, E> {
    said: Said,
    /// Where the value goes, or why there is none: the task's error, or that it is over.
    answer: Option<Promise<Result<R, Option<E>>>>,
    /// Woken when `Ready` is dropped elsewhere than in the task's own poll.
    task: Option<Waker>,
}

/// `Nothing -> Ready`, and the task is the scope's; or `Nothing -> Forgotten -> Over`, or
/// `Nothing -> Over`, and the start has failed; or to `Over` from each when the starter goes before
/// it has its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// `Ready` was dropped unused. Perhaps by the return of an error, so the
    /// task has to end its poll before this counts.
    Forgotten,
    Ready,
    Over,
}

impl<R, E> Start<R, E> {
    /// The task is over.
    fn end<T>(&self, result: Result<T, E>) -> Ended<T, E> {
        let answer = {
            let mut state = self.0.lock();
            match state.said {
                Said::Ready => return Ended::Scopes(result),
                Said::Over => return Ended::Nobodys(result),
                Said::Nothing | Said::Forgotten => state.said = Said::Over,
            }
            state.answer.take()
        };
        let (ended, error) = match result {
            Ok(value) => (Ended::Scopes(Ok(value)), None),
            Err(error) => (Ended::Starters, Some(error)),
        };
        if let Some(answer) = answer {
            answer.keep(Err(error));
        }
        ended
    }

    /// The task has to wait. A `Ready` that is gone by now was not dropped by
    /// the task's return.
    fn wait(&self, waker: &Waker) {
        let mine = waker.clone();
        let dropped = {
            let mut state = self.0.lock();
            match state.said {
                Said::Nothing => (state.task.replace(mine), None),
                Said::Forgotten => {
                    state.said = Said::Over;
                    (Some(mine), state.answer.take())
                }
                Said::Ready | Said::Over => (state.task.take(), None),
            }
        };
        drop_quietly(dropped);
    }

    /// The starter is gone, without an answer.
    fn abandon(&self) {
        self.0.lock().said = Said::Over;
    }
}

impl<R: Send, E: Send> Says<R> for Start<R, E> {
    fn say(&self, value: R) -> Result<(), R> {
        let answer = {
            let mut state = self.0.lock();
            if state.said != Said::Nothing {
                return Err(value);
            }
            state.said = Said::Ready;
            state.answer.take()
        };
        if let Some(answer) = answer {
            answer.keep(Ok(value));
        }
        Ok(())
    }

    fn forget(&self) {
        let task = {
            let mut state = self.0.lock();
            if state.said != Said::Nothing {
                return;
            }
            state.said = Said::Forgotten;
            state.task.take()
        };
        wake(task);
    }
}

/// Whose business the result of a task is that `start` has started.
enum Ended<T, E> {
    Scopes(Result<T, E>),
    Starters,
    Nobodys(Result<T, E>),
}

/// Such tasks.
struct Starts<E>(PhantomData<fn() -> E>);

impl<T, E: Send + 'static> Ends<Ended<T, E>> for Starts<E> {
    type Value = T;

    fn end(record: &Record, ended: Result<Ended<T, E>, Payload>) -> Result<T, Cancelled> {
        match ended {
            Ok(Ended::Scopes(result)) => Plain::<Scope<E>>::end(record, Ok(result)),
            Ok(Ended::Starters) => Err(never_ready(record.who().location)),
            Ok(Ended::Nobodys(result)) => {
                result.map_err(|error| record.failed_late(Box::new(error)))
            }
            Err(payload) => Err(record.panicked(payload)),
        }
    }
}

fn never_ready(location: Place) -> Cancelled {
    owner::cancelled(Reason::NeverReady, location, None)
}

impl<E: From<Cancelled> + Send + 'static> Scope<E> {
    /// Spawns a task and waits until it says that it is ready, with a value to say so.
    ///
    /// Until then the task belongs to this call: its error is returned from here, as it is,
    /// and does not fail the scope; dropping this future asks the task to stop.
    /// From then on it belongs to the scope, like any other.
    /// The scope waits for it either way.
    ///
    /// # Errors
    ///
    /// * What the task returned before it was ready.
    /// * `E::from(Cancelled)` with [`Reason::NeverReady`] when it ended well, or dropped the
    ///   [`Ready`] and then ended, without having been ready.
    /// * `E::from(Cancelled)` when the scope is over or its context has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, it ends the context of the task, whose result then goes to no caller: an
    /// error counts among the late ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use tokio_ctx::{Context, Ready, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// scope(&Context::background(), async |s| {
    ///     let (port, server) = s
    ///         .start(async |ctx, ready: Ready<u16>| {
    ///             let port = 8080; // bind here, with `?`
    ///             let _ = ready.set(port);
    ///             ctx.done().await;
    ///             Ok::<_, io::Error>("stopped")
    ///         })
    ///         .await?;
    ///     assert_eq!(port, 8080);
    ///     s.cancel();
    ///     assert_eq!(server.await?, "stopped");
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn start<R, F, Fut, O>(
        &self,
        f: F,
    ) -> impl Future<Output = Result<(R, Task<O::Value>), E>> + use<'_, R, F, Fut, O, E>
    where
        F: FnOnce(Context, Ready<R>) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
        R: Send + 'static,
    {
        let location = Location::caller();
        async move {
            let (promise, mut promised) = rt::promise();
            let start: Arc<Start<R, E>> = Arc::new(Start(Mutex::new(State {
                said: Said::Nothing,
                answer: Some(promise),
                task: None,
            })));
            // Ends the task if this future is dropped before the task was ready.
            let lifetime = self.context().with_cancel();
            let ctx = Context::clone(&lifetime);
            let mut launch = Launch::new(self, location);
            launch.refusal_is_returned = true;
            let task = launch.try_start(TaskKind::Cooperative, |record, _scopes| {
                let mut future = Box::pin(whole(f(ctx, Ready(start.clone()))));
                let (start, dropped) = (start.clone(), start.clone());
                // Dropped by its runtime, or by a panic: the starter need not wait.
                let over = OnDrop(Some(move || drop(dropped.end(Ok(())))));
                let task = async move {
                    let polled = poll_fn(|cx| {
                        let polled = future.as_mut().poll(cx);
                        if polled.is_pending() {
                            start.wait(cx.waker());
                        }
                        polled
                    });
                    let ended = start.end(polled.await.into_result());
                    drop(over);
                    ended
                };
                JoinHandle::Task(rt::spawn(Work::<_, Starts<E>>::new(task, record)))
            })?;
            let mut abandon = OnDrop(Some(|| start.abandon()));
            let said = poll_fn(|cx| promised.poll_kept(cx)).await;
            abandon.0 = None;
            match said {
                Some(Ok(value)) => {
                    let _the_scopes_now = lifetime.disarm();
                    Ok((value, task))
                }
                Some(Err(Some(error))) => Err(error),
                // Ended without an error: lost, stopped, or well.
                Some(Err(None)) => match task.await {
                    Err(cancelled) => Err(E::from(cancelled)),
                    Ok(_) => Err(E::from(never_ready(location))),
                },
                None => Err(E::from(never_ready(location))),
            }
        }
    }
}
