//! Map: bounded, in order, over an iterator or a stream.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{self, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio_ctx_core::{Cancelled, Context};

use crate::data::entry::Place;
use crate::face::run::run;
use crate::face::scope::Scope;
use crate::face::spawn::TaskBuilder;
use crate::task::handle::Task;

/// Runs `f` on every item, at most `limit` at once, and returns the values in the order of the
/// items.
///
/// Items are taken as slots come free, so a long or endless iterator is not drained ahead.
/// A `limit` of 0 counts as 1.
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
    f: F,
) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    F: FnMut(Context, I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    map_stream(ctx, Iter(items.into_iter()), limit, f)
}

/// The same over a stream.
///
/// To handle the values one by one, use [`Scope::map_stream`].
///
/// # Errors, panics, cancel safety
///
/// Those of [`map`].
///
/// # Examples
///
/// ```
/// use futures_util::stream;
/// use tokio_ctx::policy::map_stream;
/// use tokio_ctx::{Cancelled, Context};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let lines = stream::iter(["a", "bb"]);
/// let lengths = map_stream(&Context::background(), lines, 8, async |_ctx, line: &'static str| {
///     Ok::<_, Cancelled>(line.len())
/// })
/// .await;
/// assert_eq!(lengths.unwrap(), [1, 2]);
/// # }
/// ```
#[track_caller]
pub fn map_stream<T, E, S, F, Fut>(
    ctx: &Context,
    items: S,
    limit: usize,
    f: F,
) -> impl Future<Output = Result<Vec<T>, E>>
where
    S: Stream,
    F: FnMut(Context, S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    let location = Location::caller();
    async move {
        let body = async |s: Scope<E>| {
            let mut mapped = pin!(OrderedMap::new(&s, items, limit, f, location));
            let mut values = Vec::new();
            while let Some(value) = std::future::poll_fn(|cx| mapped.as_mut().poll_next(cx)).await {
                values.push(value?);
            }
            Ok(values)
        };
        run(ctx, None, location, body, None).await
    }
}

pin_project! {
    /// The values of tasks that are spawned for the items of a stream, in their order; from
    /// [`Scope::map`] and [`Scope::map_stream`].
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, it takes no more items; the tasks that run belong to the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::scope;
    /// use futures_util::StreamExt as _;
    /// use tokio_ctx::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let mut doubled = std::pin::pin!(s.map([1, 2], 2, async |_, n: u32| Ok::<_, Cancelled>(n * 2)));
    ///     assert_eq!(doubled.next().await.unwrap()?, 2);
    ///     assert_eq!(doubled.next().await.unwrap()?, 4);
    ///     assert!(doubled.next().await.is_none());
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct OrderedMap<'s, S, F, T, E> {
        scope: &'s Scope<E>,
        #[pin]
        items: Option<S>,
        limit: usize,
        f: F,
        location: Place,
        running: VecDeque<Task<T>>,
    }
}

impl<'s, S, F, T, E> OrderedMap<'s, S, F, T, E> {
    pub(crate) fn new(scope: &'s Scope<E>, items: S, limit: usize, f: F, location: Place) -> Self {
        let running = VecDeque::new();
        Self {
            scope,
            items: Some(items),
            limit: limit.max(1),
            f,
            location,
            running,
        }
    }
}

impl<S, F, Fut, T, E> Stream for OrderedMap<'_, S, F, T, E>
where
    S: Stream,
    F: FnMut(Context, S::Item) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Item = Result<T, Cancelled>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        while this.running.len() < *this.limit {
            let Some(items) = this.items.as_mut().as_pin_mut() else {
                break;
            };
            match items.poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    let builder = TaskBuilder::new(this.scope, this.location);
                    this.running
                        .push_back(builder.spawn(|ctx| (this.f)(ctx, item)));
                }
                Poll::Ready(None) => this.items.set(None),
                Poll::Pending => break,
            }
        }
        let Some(first) = this.running.front_mut() else {
            return match this.items.is_some() {
                true => Poll::Pending,
                false => Poll::Ready(None),
            };
        };
        let value = task::ready!(Pin::new(first).poll(cx));
        this.running.pop_front();
        Poll::Ready(Some(value))
    }
}

impl<S, F, T, E> fmt::Debug for OrderedMap<'_, S, F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedMap")
            .field("limit", &self.limit)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// An iterator as a stream that is always ready.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let mapped = s.map([1], 1, async |_, n: u32| Ok::<_, Cancelled>(n));
///     assert_eq!(format!("{mapped:?}"), "OrderedMap { limit: 1, running: 0, .. }");
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[derive(Debug)]
pub struct Iter<I>(I);

// Nothing in it is pinned: items are moved out.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut task::Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

impl<E: Send + 'static> Scope<E> {
    /// Runs `f` on every item in a task of this scope, at most `limit` at once, and yields the
    /// values in the order of the items.
    ///
    /// A failing task ends the scope as ever, and yields the [`Cancelled`] that
    /// [`Task`] describes.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let sum = scope(&Context::background(), async |s| {
    ///     let mut sum = 0;
    ///     let mut halves = s.map([2, 4, 6], 2, async |_ctx, n: u32| Ok::<_, Cancelled>(n / 2));
    ///     while let Some(half) = halves.next().await {
    ///         sum += half?;
    ///     }
    ///     Ok(sum)
    /// })
    /// .await?;
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn map<T, I, F, Fut>(
        &self,
        items: I,
        limit: usize,
        f: F,
    ) -> OrderedMap<'_, Iter<I::IntoIter>, F, T, E>
    where
        I: IntoIterator,
        F: FnMut(Context, I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        OrderedMap::new(self, Iter(items.into_iter()), limit, f, Location::caller())
    }

    /// The same over a stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let items = stream::iter(["a", "bb"]);
    ///     let mut lengths = s.map_stream(items, 2, async |_ctx, item: &'static str| {
    ///         Ok::<_, Cancelled>(item.len())
    ///     });
    ///     assert_eq!(lengths.next().await.unwrap()?, 1);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn map_stream<T, S, F, Fut>(
        &self,
        items: S,
        limit: usize,
        f: F,
    ) -> OrderedMap<'_, S, F, T, E>
    where
        S: Stream,
        F: FnMut(Context, S::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        OrderedMap::new(self, items, limit, f, Location::caller())
    }
}
