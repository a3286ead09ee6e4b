//! Collect all: no failure stops the others.

use std::panic::Location;

use tokio_ctx_core::{Cancelled, Context};

use crate::data::config::Config;
use crate::face::run::run;
use crate::face::scope::Scope;
use crate::face::task::TaskOptions;
use crate::foreign::whole;
use crate::task::handle::Task;

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
    mut f: F,
) -> impl Future<Output = Vec<Result<T, E>>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let location = Location::caller();
    async move {
        let mut results = Vec::new();
        let body = async |s: Scope<Cancelled>| {
            let spawn = |item| {
                TaskOptions::linked(&s, location).spawn(|ctx| {
                    let future = whole(f(ctx, item));
                    async move { Ok(future.await) }
                })
            };
            let tasks: Vec<Task<Result<T, E>>> = items.into_iter().map(spawn).collect();
            for task in tasks {
                results.push(
                    task.await
                        .unwrap_or_else(|cancelled| Err(E::from(cancelled))),
                );
            }
            Ok(())
        };
        // A task that did not run to its end says so in its own result.
        let _ = run(ctx, Some(Config::keeping_body()), location, body, None).await;
        results
    }
}
