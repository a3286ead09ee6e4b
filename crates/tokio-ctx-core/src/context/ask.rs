//! Asking.

use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use crate::cancelled::Cancelled;
use crate::sync::clock::{self, NEVER};

/// Asking.
impl Context {
    /// Whether the context ended.
    ///
    /// Costs a load per ancestor, and a look at the clock if there is a deadline. Runs no
    /// callback, takes no lock while the context is live, and sees a deadline that no timer
    /// watches: made for loops that compute.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(!ctx.is_done());
    /// ctx.cancel();
    /// assert!(ctx.is_done());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.lifetime.as_ref().is_some_and(|node| node.is_done())
    }

    /// Why the context ended; `None` while it has not.
    ///
    /// Go: `ctx.Err()` and `context.Cause(ctx)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.err().is_none());
    /// ctx.cancel_with("enough");
    /// assert!(ctx.err().unwrap().to_string().starts_with("cancelled: enough"));
    /// ```
    #[must_use]
    pub fn err(&self) -> Option<Cancelled> {
        self.lifetime.as_ref()?.outcome()
    }

    /// [`err`](Context::err) for the `?` operator.
    ///
    /// # Errors
    ///
    /// Why the context ended, if it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context};
    ///
    /// fn sum(ctx: &Context, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for number in numbers {
    ///         ctx.check()?;
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// }
    /// assert_eq!(sum(&Context::background(), &[1, 2, 3]).unwrap(), 6);
    /// ```
    pub fn check(&self) -> Result<(), Cancelled> {
        self.err().map_or(Ok(()), Err)
    }

    /// The instant at which the context ends at the latest.
    ///
    /// Answers also after the context ended.
    ///
    /// Go: `ctx.Deadline()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    /// use tokio_ctx::Context;
    ///
    /// let at = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(Context::background().deadline(), None);
    /// assert_eq!(Context::background().with_deadline(at).deadline(), Some(at));
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.lifetime.as_ref()?.deadline {
            NEVER => None,
            nanos => Some(clock::instant_of(nanos)),
        }
    }

    /// The time until the deadline; zero when it passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(5));
    /// tokio::time::advance(Duration::from_secs(2)).await;
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(3)));
    /// # }
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        match self.lifetime.as_ref()?.deadline {
            NEVER => None,
            nanos => Some(Duration::from_nanos(nanos.saturating_sub(clock::now()))),
        }
    }

    /// Whether anything can end the context: `false` for a root and for values on one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let root = Context::background();
    /// assert!(!root.can_be_cancelled());
    /// assert!(root.with_cancel().can_be_cancelled());
    /// ```
    #[must_use]
    pub fn can_be_cancelled(&self) -> bool {
        self.lifetime.as_ref().is_some_and(|node| node.can_end())
    }
}
