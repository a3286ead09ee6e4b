//! Start with ready: spawn a task and wait until it says that it is up.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use pin_project_lite::pin_project;
use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use crate::data::entry::Place;
use crate::face::launch::Launch;
use crate::face::scope::Scope;
use crate::foreign::wake;
use crate::sync::Mutex;
use crate::task::handle::Task;
use crate::task::output::TaskOutput;
use crate::task::work::End;

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
pub struct Ready<R> {
    slot: Arc<dyn Says<R>>,
}

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
        self.slot.say(value)
    }
}

impl<R> Drop for Ready<R> {
    fn drop(&mut self) {
        self.slot.forget();
    }
}

impl<R> fmt::Debug for Ready<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

/// What [`Ready`] can do to the slot, whose error type it does not name.
trait Says<R>: Send + Sync {
    fn say(&self, value: R) -> Result<(), R>;
    fn forget(&self);
}

/// What the caller of `start` and the task share.
///
/// `Nothing -> Ready -> Fetched`, and the task is the scope's; or
/// `Nothing -> Forgotten -> Never` while the task goes on; or to `Over` from
/// the first two when the task ends; or to `Abandoned` from anything but
/// `Fetched` when the starter goes. No state is left twice. Nothing foreign is
/// woken or dropped under the lock.
struct Slot<R, E> {
    state: Mutex<State<R, E>>,
}

struct State<R, E> {
    said: Said<R, E>,
    /// Woken when the start is decided.
    starter: Option<Waker>,
    /// Woken when `Ready` is dropped elsewhere than in the task's own poll.
    task: Option<Waker>,
}

enum Said<R, E> {
    Nothing,
    /// `Ready` was dropped unused. Perhaps by the return of an error, so the
    /// task has to end its poll before this counts.
    Forgotten,
    Ready(R),
    Fetched,
    Never,
    Over(Option<E>),
    Abandoned,
}

/// Whose business the task's result is.
enum Business {
    Starter,
    Scope,
    Nobody,
}

impl<R, E> Slot<R, E> {
    fn new() -> Self {
        let state = State {
            said: Said::Nothing,
            starter: None,
            task: None,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// The task is over: of an error, what is not the starter's is given back.
    fn end(&self, error: Option<E>) -> (Business, Option<E>) {
        let starter = {
            let mut state = self.state.lock();
            match state.said {
                Said::Nothing | Said::Forgotten => state.said = Said::Over(error),
                Said::Ready(_) | Said::Fetched => return (Business::Scope, error),
                Said::Never | Said::Over(_) | Said::Abandoned => return (Business::Nobody, error),
            }
            state.starter.take()
        };
        wake(starter);
        (Business::Starter, None)
    }

    /// The task has to wait. A `Ready` that is gone by now was not dropped by
    /// the task's return.
    fn wait(&self, waker: &Waker) {
        let mine = waker.clone();
        let (_old, starter) = {
            let mut state = self.state.lock();
            match state.said {
                Said::Nothing => (state.task.replace(mine), None),
                Said::Forgotten => {
                    state.said = Said::Never;
                    (Some(mine), state.starter.take())
                }
                _ => (state.task.take(), None),
            }
        };
        wake(starter);
    }

    fn poll_said(&self, waker: &Waker) -> Poll<Said<R, E>> {
        let mine = waker.clone();
        let _old = {
            let mut state = self.state.lock();
            if !matches!(state.said, Said::Nothing | Said::Forgotten) {
                let said = std::mem::replace(&mut state.said, Said::Fetched);
                drop(state);
                return Poll::Ready(said);
            }
            state.starter.replace(mine)
        };
        Poll::Pending
    }

    /// The starter is gone.
    fn abandon(&self) {
        let _old = {
            let mut state = self.state.lock();
            match state.said {
                Said::Fetched => return,
                _ => std::mem::replace(&mut state.said, Said::Abandoned),
            }
        };
    }
}

impl<R: Send, E: Send> Says<R> for Slot<R, E> {
    fn say(&self, value: R) -> Result<(), R> {
        let starter = {
            let mut state = self.state.lock();
            if !matches!(state.said, Said::Nothing) {
                return Err(value);
            }
            state.said = Said::Ready(value);
            state.starter.take()
        };
        wake(starter);
        Ok(())
    }

    fn forget(&self) {
        let task = {
            let mut state = self.state.lock();
            if !matches!(state.said, Said::Nothing) {
                return;
            }
            state.said = Said::Forgotten;
            state.task.take()
        };
        wake(task);
    }
}

pin_project! {
    /// The started task's future: sends what it ends with to whom it concerns.
    struct Starting<R, F, E> {
        #[pin]
        future: F,
        slot: Arc<Slot<R, E>>,
        location: Place,
    }

    impl<R, F, E> PinnedDrop for Starting<R, F, E> {
        // Dropped by its runtime, or by a panic: the starter need not wait.
        fn drop(this: Pin<&mut Self>) {
            let _nothing = this.slot.end(None);
        }
    }
}

impl<R, F, O, E> Future for Starting<R, F, E>
where
    F: Future<Output = O>,
    O: TaskOutput<E>,
{
    type Output = End<O::Value, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.future.poll(cx) {
            Poll::Ready(output) => output.into_result(),
            Poll::Pending => {
                this.slot.wait(cx.waker());
                return Poll::Pending;
            }
        };
        Poll::Ready(match result {
            Ok(value) => {
                let _nothing = this.slot.end(None);
                End::Ended(Ok(value))
            }
            Err(error) => match this.slot.end(Some(error)) {
                (Business::Scope, Some(error)) => End::Ended(Err(error)),
                (_, Some(error)) => End::Late(error),
                (_, None) => End::Excused(never_ready(this.location)),
            },
        })
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
            let slot: Arc<Slot<R, E>> = Arc::new(Slot::new());
            // Ends the task if this future is dropped before the task was ready.
            let lifetime = self.context().with_cancel();
            let ctx = Context::clone(&lifetime);
            let launched = Launch::new(self, location).launch_excused(|_scopes| Starting {
                future: f(ctx, Ready { slot: slot.clone() }),
                slot: slot.clone(),
                location,
            });
            let task = match launched {
                Ok(task) => task,
                Err(cancelled) => return Err(E::from(cancelled)),
            };
            let abandon = AbandonOnDrop(&slot);
            let said = poll_fn(|cx| slot.poll_said(cx.waker())).await;
            drop(abandon);
            match said {
                Said::Ready(value) => {
                    let _the_scopes_now = lifetime.disarm();
                    Ok((value, task))
                }
                Said::Over(Some(error)) => Err(error),
                // Ended without an error: lost, stopped, or well.
                Said::Over(None) => match task.await {
                    Err(cancelled) => Err(E::from(cancelled)),
                    Ok(_) => Err(E::from(never_ready(location))),
                },
                _ => Err(E::from(never_ready(location))),
            }
        }
    }
}

/// Tells the task that nobody waits for it any more.
struct AbandonOnDrop<'a, R, E>(&'a Slot<R, E>);

impl<R, E> Drop for AbandonOnDrop<'_, R, E> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
