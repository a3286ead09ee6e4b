//! The face of the crate: [`scope()`] and the [`Scope`] it hands to its body.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;

use tokio_ctx_core::{Reason, owner};

use crate::data::entry::Place;
use crate::face::spawner::Spawner;
use crate::state::shared::{Shared, Ticket};

/// Spawns tasks that the call of [`scope()`](crate::scope()) waits for.
///
/// It derefs to its [`Spawner`], which has what does not depend on the type of the error.
///
/// Clones go into tasks, which may spawn siblings.
/// A clone does not keep the scope open: once all tasks and the body have finished, it spawns no more.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let siblings = s.clone();
///     s.spawn(async move |_| {
///         let task = siblings.spawn(async |_| Ok::<_, Cancelled>(7));
///         assert_eq!(task.await?, 7);
///         Ok(())
///     });
///     Ok(())
/// })
/// .await
/// # }
/// ```
pub struct Scope<E> {
    spawner: Spawner,
    error: PhantomData<fn(E) -> E>,
}

impl<E> Scope<E> {
    pub(crate) fn new(spawner: Spawner) -> Self {
        Self {
            spawner,
            error: PhantomData,
        }
    }

    /// The scope without the type of its error, which spawns isolated tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let tasks = s.spawner().clone();
    ///     let sum = tasks.task().name("sum").spawn_blocking(|_| Ok::<_, std::fmt::Error>(1 + 1));
    ///     assert_eq!(sum.await?, Ok(2));
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Ends the scope because its work is done: enough is not failure.
    ///
    /// The tasks are asked to stop and still waited for.
    /// What they return from now on is reported, but no longer decides: the body's result is
    /// the scope's. Returns whether this call was what ended the scope's context; if it was
    /// not, a failure or the end of the parent's context decides as ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let found = scope(&Context::background(), async |s| {
    ///     s.spawn(async |ctx| Err::<(), Cancelled>(ctx.done().await));
    ///     assert!(s.cancel());
    ///     Ok("found")
    /// })
    /// .await;
    /// assert_eq!(found.unwrap(), "found");
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_at(Location::caller())
    }

    /// The same with a cause, which the tasks find in their context's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     assert!(s.cancel_with("the answer is known"));
    ///     let why = s.context().err().unwrap();
    ///     assert!(why.to_string().contains("the answer is known"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.end_by_owner(|shared| shared.lifetime.cancel_with(cause))
    }

    /// The owner's cancel, from the line at `location`.
    pub(crate) fn cancel_at(&self, location: Place) -> bool {
        let cancelled = owner::cancelled(Reason::Cancelled, location, None);
        self.end_by_owner(|shared| shared.close(cancelled))
    }

    /// Notes that it was the owner who ended the scope, if that won.
    fn end_by_owner(&self, end: impl FnOnce(&Shared) -> bool) -> bool {
        // The ticket keeps the result open until it is known which cancel won.
        let Some(_ticket) = Ticket::enter(&self.shared) else {
            return false;
        };
        let won = end(&self.shared);
        if won {
            self.shared.wake_owner();
            self.shared.cold.lock().failures.enough = true;
        }
        won
    }
}

impl<E> Clone for Scope<E> {
    fn clone(&self) -> Self {
        Self::new(self.spawner.clone())
    }
}

impl<E> Deref for Scope<E> {
    type Target = Spawner;

    #[inline]
    fn deref(&self) -> &Spawner {
        &self.spawner
    }
}

impl<E> fmt::Debug for Scope<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
