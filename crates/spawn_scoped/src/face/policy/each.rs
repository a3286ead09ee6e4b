//! One task per item, whose failure is no failure of the scope: collect all, first success, race.

use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context};

use crate::data::config::Config;
use crate::data::entry::Place;
use crate::face::run::run;
use crate::face::scope::Scope;
use crate::face::task::TaskOptions;
use crate::foreign::whole;
use crate::sync::Mutex;

/// Runs one task per item and returns each one's result, in the order of the items.
///
/// A failing task stops no other task. When `ctx` ends, the tasks are asked to stop and return what
/// they will; one that could not start, or was lost, has the [`Cancelled`] as its error.
///
/// # Panics
///
/// A panic of a task stops the others and is resumed here.
///
/// # Cancel safety
///
/// That of [`scope`](crate::scope()).
///
/// # Examples
///
/// ```
/// use std::io;
/// use tokio_ctx::policy::collect_all;
/// use tokio_ctx::Context;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let results: Vec<io::Result<u32>> =
///     collect_all(&Context::background(), ["1", "two", "3"], async |_ctx, text| {
///         text.parse().map_err(io::Error::other)
///     })
///     .await;
/// assert_eq!(*results[0].as_ref().unwrap(), 1);
/// assert!(results[1].is_err());
/// assert_eq!(*results[2].as_ref().unwrap(), 3);
/// # }
/// ```
#[track_caller]
pub fn collect_all<T, E, I, F, Fut>(
    ctx: &Context,
    items: I,
    f: F,
) -> impl Future<Output = Vec<Result<T, E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let run = each(ctx, items, f, Location::caller(), Err::<(), _>, |why| {
        Err(why.into())
    });
    async { run.await.1 }
}

/// Runs one task per item until the first one succeeds; the others are then asked to stop,
/// and waited for.
///
/// # Errors
///
/// When none succeeds: every error, in the order of the items. For a task that was stopped
/// before it started, or lost, that is the [`Cancelled`]; no items, no errors.
///
/// # Panics
///
/// A panic of a task stops the others and is resumed here.
///
/// # Cancel safety
///
/// That of [`scope`](crate::scope()).
///
/// # Examples
///
/// ```
/// use std::io;
/// use tokio_ctx::policy::first_ok;
/// use tokio_ctx::Context;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background();
/// let try_host = async |_ctx, host: &'static str| match host {
///     "up" => Ok("hello from up"),
///     _ => Err(io::Error::other(format!("{host} is down"))),
/// };
/// assert_eq!(first_ok(&ctx, ["a", "up", "b"], try_host).await.unwrap(), "hello from up");
/// let errors = first_ok(&ctx, ["a", "b"], try_host).await.unwrap_err();
/// assert_eq!(errors[1].to_string(), "b is down");
/// # }
/// ```
#[track_caller]
pub fn first_ok<T, E, I, F, Fut>(
    ctx: &Context,
    items: I,
    f: F,
) -> impl Future<Output = Result<T, Vec<E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let run = each(ctx, items, f, Location::caller(), |result| result, E::from);
    async {
        let (won, errors) = run.await;
        won.ok_or(errors)
    }
}

/// Runs one task per item until the first one ends, well or not; the others are then asked to
/// stop, and waited for. `None` when there are no items.
///
/// # Panics
///
/// A panic of a task stops the others and is resumed here.
///
/// # Cancel safety
///
/// That of [`scope`](crate::scope()).
///
/// # Examples
///
/// ```
/// use tokio_ctx::policy::race;
/// use tokio_ctx::{Cancelled, Context};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let winner = race(&Context::background(), [3, 0], async |ctx: Context, turns| {
///     for _ in 0..turns {
///         tokio::task::yield_now().await;
///     }
///     Ok::<_, Cancelled>(turns)
/// })
/// .await;
/// assert_eq!(winner.unwrap().unwrap(), 0);
/// # }
/// ```
#[track_caller]
pub fn race<T, E, I, F, Fut>(
    ctx: &Context,
    items: I,
    f: F,
) -> impl Future<Output = Option<Result<T, E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let run = each(ctx, items, f, Location::caller(), Ok, |why| Err(why.into()));
    async {
        let (won, lost) = run.await;
        won.or(lost.into_iter().next())
    }
}

/// Runs one task per item. The first result that `wins` is returned and ends the others; what did
/// not win, or was `lost`, is returned in the order of the items.
async fn each<O, W, L, I, F, Fut>(
    ctx: &Context,
    items: I,
    mut f: F,
    location: Place,
    wins: fn(O) -> Result<W, L>,
    lost: fn(Cancelled) -> L,
) -> (Option<W>, Vec<L>)
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = O> + Send + 'static,
    O: Send + 'static,
    W: Send + 'static,
    L: Send + 'static,
{
    let won: Arc<Mutex<Option<W>>> = Arc::new(Mutex::new(None));
    let mut others = Vec::new();
    let body = async |s: Scope<Cancelled>| {
        let mut tasks = Vec::new();
        for item in items {
            let (won, scope) = (won.clone(), s.clone());
            tasks.push(
                TaskOptions::<Scope<Cancelled>>::new(&s, location, false).spawn(|ctx| {
                    let future = whole(f(ctx, item));
                    async move {
                        match wins(future.await) {
                            Ok(value) => {
                                let mut value = Some(value);
                                {
                                    let mut won = won.lock();
                                    if won.is_none() {
                                        *won = value.take();
                                    }
                                }
                                // One that came too late is dropped outside the lock.
                                drop(value);
                                scope.cancel_at(location);
                                Ok(None)
                            }
                            Err(other) => Ok(Some(other)),
                        }
                    }
                }),
            );
        }
        for task in tasks {
            others.extend(task.await.unwrap_or_else(|why| Some(lost(why))));
        }
        Ok(())
    };
    // A task that did not run to its end says so in its own result.
    let _ = run(ctx, Some(Config::keeping_body()), location, body, None).await;
    let won = won.lock().take();
    (won, others)
}
