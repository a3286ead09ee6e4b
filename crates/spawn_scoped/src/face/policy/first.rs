//! First success, and race: one result is enough.

use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{Cancelled, Context};

use crate::data::config::Config;
use crate::face::run::run;
use crate::face::scope::Scope;
use crate::face::task::TaskOptions;
use crate::foreign::whole;
use crate::sync::Mutex;

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
    mut f: F,
) -> impl Future<Output = Result<T, Vec<E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let location = Location::caller();
    async move {
        let won: Arc<Mutex<Option<T>>> = Arc::new(Mutex::new(None));
        let mut errors = Vec::new();
        let body = async |s: Scope<Cancelled>| {
            let mut tasks = Vec::new();
            for item in items {
                let (won, scope) = (won.clone(), s.clone());
                tasks.push(TaskOptions::linked(&s, location).spawn(|ctx| {
                    let future = whole(f(ctx, item));
                    async move {
                        match future.await {
                            Ok(value) => {
                                put_first(&won, value);
                                scope.cancel_at(location);
                                Ok(None)
                            }
                            Err(error) => Ok(Some(error)),
                        }
                    }
                }));
            }
            for task in tasks {
                match task.await {
                    Ok(None) => {}
                    Ok(Some(error)) => errors.push(error),
                    Err(cancelled) => errors.push(E::from(cancelled)),
                }
            }
            Ok(())
        };
        let _ = run(ctx, Some(Config::keeping_body()), location, body, None).await;
        let won = won.lock().take();
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
    mut f: F,
) -> impl Future<Output = Option<Result<T, E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let location = Location::caller();
    async move {
        let won: Arc<Mutex<Option<Result<T, E>>>> = Arc::new(Mutex::new(None));
        let mut any = false;
        let body = async |s: Scope<Cancelled>| {
            for item in items {
                any = true;
                let (won, scope) = (won.clone(), s.clone());
                let task = TaskOptions::linked(&s, location).spawn(|ctx| {
                    let future = whole(f(ctx, item));
                    async move {
                        put_first(&won, future.await);
                        scope.cancel_at(location);
                        Ok(())
                    }
                });
                // What was refused lost the race.
                task.forget();
            }
            Ok(())
        };
        let result = run(ctx, Some(Config::keeping_body()), location, body, None).await;
        let won = won.lock().take();
        match (won, result) {
            (Some(won), _) => Some(won),
            (None, Err(cancelled)) if any => Some(Err(E::from(cancelled))),
            (None, _) => None,
        }
    }
}

/// Keeps the first value; a later one is dropped outside the lock.
fn put_first<T>(slot: &Mutex<Option<T>>, value: T) {
    let _late = {
        let mut slot = slot.lock();
        match *slot {
            None => {
                *slot = Some(value);
                None
            }
            Some(_) => Some(value),
        }
    };
}
