//! The face of the crate: [`scope()`] and the [`Scope`] it hands to its body.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{Context, Reason, owner};

use crate::data::entry::Place;
use crate::state::shared::{Shared, Ticket};
use crate::watch::straggler::{self, Straggler};

/// Spawns tasks that the call of [`scope()`](crate::scope()) waits for.
///
/// Clones go into tasks, which may spawn siblings.
/// A clone does not keep the scope open: once everybody has left, it spawns no more.
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
    pub(crate) shared: Arc<Shared>,
    /// The scope's context, if it has values; otherwise that is the lifetime alone.
    ctx: Option<Context>,
    error: PhantomData<fn(E) -> E>,
}

impl<E> Scope<E> {
    pub(crate) fn new(shared: Arc<Shared>, ctx: Option<Context>) -> Self {
        Self {
            shared,
            ctx,
            error: PhantomData,
        }
    }

    /// The scope's own context: what its tasks get.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let escaped = scope(&Context::background(), async |s| {
    ///     assert!(!s.context().is_done());
    ///     Ok::<_, Cancelled>(s.context().clone())
    /// })
    /// .await?;
    /// assert_eq!(escaped.err().unwrap().reason(), Reason::ScopeFinished);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        self.ctx.as_ref().unwrap_or_else(|| self.shared.context())
    }

    /// The line of the call that made the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let next_line = line!() + 1;
    /// scope(&Context::background(), async |s| {
    ///     assert_eq!(s.location().line(), next_line);
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.shared.location
    }

    /// The name from [`ScopeOptions::name`](crate::ScopeOptions::name), if any.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let options = ScopeOptions::new().name("import");
    /// options
    ///     .run(&Context::background(), async |s| {
    ///         assert_eq!(s.name(), Some("import"));
    ///         Ok::<_, Cancelled>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.name().map(|name| name.as_ref().as_ref())
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
        // The ticket keeps the result open until it is known who won.
        let Some(_ticket) = Ticket::enter(&self.shared) else {
            return false;
        };
        let won = self.shared.lifetime.cancel_with(cause);
        self.ended_by_owner(won)
    }

    /// The owner's cancel, from the line at `location`.
    pub(crate) fn cancel_at(&self, location: Place) -> bool {
        // As above.
        let Some(_ticket) = Ticket::enter(&self.shared) else {
            return false;
        };
        let won = self
            .shared
            .end(owner::cancelled(Reason::Cancelled, location, None));
        self.ended_by_owner(won)
    }

    /// Notes that it was the owner who ended the scope, if it `won`.
    fn ended_by_owner(&self, won: bool) -> bool {
        if won {
            self.shared.rare.lock().failures.enough = true;
        }
        won
    }

    /// The tasks that have not finished, with their ages.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn(async |_| Ok::<_, Cancelled>(()));
    ///     assert_eq!(s.unfinished().len(), 1);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> Vec<Straggler> {
        straggler::list(&self.shared)
    }
}

impl<E> Clone for Scope<E> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            ctx: self.ctx.clone(),
            error: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Scope<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
