//! A spawn that did not happen: [`Refused`].

use std::error::Error;
use std::fmt;

use tokio_ctx_core::Cancelled;

/// A task that was not spawned, with the work to do elsewhere or later.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     s.cancel();
///     let refused = s.task().try_spawn(async |_| Ok::<_, Cancelled>(7)).unwrap_err();
///     assert!(!refused.is_full());
///     let work = refused.into_work();
///     assert_eq!(work(Context::background()).await?, 7);
///     Ok(())
/// })
/// .await
/// # }
/// ```
pub struct Refused<F> {
    work: F,
    why: Why,
}

#[derive(Clone)]
pub(crate) enum Why {
    Full(usize),
    Ended(Cancelled),
}

impl<F> Refused<F> {
    pub(crate) fn new(work: F, why: Why) -> Self {
        Self { work, why }
    }

    /// Whether the limit was reached. Later, the same spawn may succeed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::new()
    ///     .limit(0)
    ///     .run(&Context::background(), async |s| {
    ///         let refused = s.task().try_spawn(async |_| Ok::<_, Cancelled>(())).unwrap_err();
    ///         assert!(refused.is_full());
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.why, Why::Full(_))
    }

    /// Why the scope takes no more tasks, unless it was only full.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.cancel_with("found it");
    ///     let refused = s.task().try_spawn(async |_| Ok::<_, Cancelled>(())).unwrap_err();
    ///     assert!(refused.cancelled().unwrap().to_string().contains("found it"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match &self.why {
            Why::Full(_) => None,
            Why::Ended(cancelled) => Some(cancelled),
        }
    }

    /// The work, uncalled.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.cancel();
    ///     let refused = s.task().try_spawn(async |_| Ok::<_, Cancelled>(7)).unwrap_err();
    ///     let work = refused.into_work();
    ///     assert_eq!(work(Context::background()).await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn into_work(self) -> F {
        self.work
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Full(limit) => {
                write!(f, "spawn refused: all {limit} slots of the scope are taken")
            }
            Why::Ended(_) => f.write_str("spawn refused: the scope takes no more tasks"),
        }
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({self})")
    }
}

impl<F> Error for Refused<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cancelled().map(|cancelled| cancelled as _)
    }
}
