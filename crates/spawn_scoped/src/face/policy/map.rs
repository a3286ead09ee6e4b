//! Map: bounded, and in order.

use std::collections::VecDeque;
use std::panic::Location;

use tokio_ctx_core::{Cancelled, Context};

use crate::face::run::run;
use crate::face::scope::Scope;
use crate::face::task::TaskOptions;
use crate::foreign::drop_quietly;
use crate::task::handle::Task;

/// Runs `f` on every item, at most `limit` at once, and returns the values in the order of the
/// items.
///
/// Items are taken as tasks finish, so a long or endless iterator is not drained ahead.
/// A `limit` of 0 counts as 1.
/// For a stream of items, `.map(|item| s.spawn(..)).buffered(limit)` does the same in a scope.
///
/// # Errors
///
/// Those of [`scope`](crate::scope()): the first error stops the rest.
///
/// # Panics, cancel safety
///
/// Those of [`scope`](crate::scope()).
///
/// # Examples
///
/// ```
/// use tokio_ctx::policy::map;
/// use tokio_ctx::{Cancelled, Context};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let squares =
///     map(&Context::background(), 1..=4, 2, async |_ctx, n: u32| Ok::<_, Cancelled>(n * n)).await;
/// assert_eq!(squares.unwrap(), [1, 4, 9, 16]);
/// # }
/// ```
#[track_caller]
pub fn map<T, E, I, F, Fut>(
    ctx: &Context,
    items: I,
    limit: usize,
    mut f: F,
) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let location = Location::caller();
    async move {
        let body = async |s: Scope<E>| {
            let mut values = Vec::new();
            let all = async {
                let mut running: VecDeque<Task<T>> = VecDeque::new();
                for item in items {
                    if running.len() >= limit.max(1) {
                        if let Some(first) = running.pop_front() {
                            values.push(first.await?);
                        }
                    }
                    running.push_back(
                        TaskOptions::<Scope<E>>::new(&s, location, false).spawn(|ctx| f(ctx, item)),
                    );
                }
                for task in running {
                    values.push(task.await?);
                }
                Ok(())
            };
            let ended: Result<(), Cancelled> = all.await;
            let Err(cancelled) = ended else {
                return Ok(values);
            };
            // Before the error is made: a drop that panics would leave that to nobody
            // (rust-lang/rust#47949).
            drop_quietly(values);
            Err(E::from(cancelled))
        };
        run(ctx, None, location, body, None).await
    }
}
