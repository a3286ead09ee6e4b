//! Shares of the remaining time: [`Budget`].

use std::time::Duration;

/// A share of the time that remains until a deadline, for
/// [`Context::with_budget`](crate::Context::with_budget).
///
/// Start with a [`fraction`](Budget::fraction) or with a [`reserve`](Budget::reserve), then
/// narrow it. Without a deadline above there is nothing to share: the budget then grants what
/// [`or_default`](Budget::or_default) says, or no limit.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::{Budget, Context};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let budget = Budget::fraction(0.5)
///     .at_most(Duration::from_secs(3))
///     .or_default(Duration::from_secs(1));
///
/// let hurried = Context::background().with_timeout(Duration::from_secs(4));
/// assert_eq!(hurried.with_budget(budget).unwrap().remaining(), Some(Duration::from_secs(2)));
///
/// let relaxed = Context::background().with_timeout(Duration::from_secs(60));
/// assert_eq!(relaxed.with_budget(budget).unwrap().remaining(), Some(Duration::from_secs(3)));
///
/// let free = Context::background().with_budget(budget).unwrap();
/// assert_eq!(free.remaining(), Some(Duration::from_secs(1)));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a budget does nothing until a context is derived with it"]
pub struct Budget {
    fraction: f64,
    reserve: Duration,
    at_most: Option<Duration>,
    at_least: Duration,
    or_default: Option<Duration>,
}

impl Budget {
    const WHOLE: Budget = Budget {
        fraction: 1.0,
        reserve: Duration::ZERO,
        at_most: None,
        at_least: Duration::ZERO,
        or_default: None,
    };

    /// This part of what remains, from 0 to 1.
    ///
    /// # Panics
    ///
    /// When `part` is not a number from 0 to 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Budget, Context};
    ///
    /// // Without a deadline a fraction is a fraction of nothing in particular.
    /// let ctx = Context::background().with_budget(Budget::fraction(0.8)).unwrap();
    /// assert_eq!(ctx.deadline(), None);
    /// ```
    #[track_caller]
    pub fn fraction(part: f64) -> Budget {
        assert!(
            (0.0..=1.0).contains(&part),
            "a budget is a fraction from 0 to 1 of what remains, not {part}"
        );
        Budget {
            fraction: part,
            ..Budget::WHOLE
        }
    }

    /// What remains less `time`, which is kept for what comes after: writing the answer, say.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Budget, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(1));
    /// let query = ctx.with_budget(Budget::reserve(Duration::from_millis(50))).unwrap();
    /// assert_eq!(query.remaining(), Some(Duration::from_millis(950)));
    /// # }
    /// ```
    pub const fn reserve(time: Duration) -> Budget {
        Budget {
            reserve: time,
            ..Budget::WHOLE
        }
    }

    /// Never more than `time`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Budget, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(60));
    /// let call = ctx.with_budget(Budget::fraction(1.0).at_most(Duration::from_secs(2))).unwrap();
    /// assert_eq!(call.remaining(), Some(Duration::from_secs(2)));
    /// # }
    /// ```
    pub const fn at_most(mut self, time: Duration) -> Budget {
        self.at_most = Some(time);
        self
    }

    /// Refused when it comes to less than `time`: fail before the work starts.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Budget, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// let budget = Budget::fraction(1.0).at_least(Duration::from_millis(20));
    /// let refused = ctx.with_budget(budget).unwrap_err();
    /// assert!(refused.is_timeout());
    /// assert!(refused.to_string().contains("5ms of 20ms"));
    /// # }
    /// ```
    pub const fn at_least(mut self, time: Duration) -> Budget {
        self.at_least = time;
        self
    }

    /// Grants `time` where there is no deadline to share.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Budget, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let budget = Budget::fraction(0.8).or_default(Duration::from_secs(5));
    /// let ctx = Context::background().with_budget(budget).unwrap();
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(5)));
    /// # }
    /// ```
    pub const fn or_default(mut self, time: Duration) -> Budget {
        self.or_default = Some(time);
        self
    }

    /// What it grants of `remaining`, or why it is refused.
    pub(crate) fn grant(self, remaining: Option<Duration>) -> Result<Option<Duration>, String> {
        let share = match remaining {
            Some(remaining) => Some(part(remaining, self.fraction).saturating_sub(self.reserve)),
            None => self.or_default,
        };
        let granted = match (share, self.at_most) {
            (Some(share), Some(most)) => Some(share.min(most)),
            (share, most) => share.or(most),
        };
        match granted {
            Some(granted) if granted < self.at_least => {
                let needed = self.at_least;
                Err(format!("{granted:?} of {needed:?} needed are left"))
            }
            granted => Ok(granted),
        }
    }
}

/// In nanoseconds, rounded, so that 0.8 of ten seconds is eight seconds.
fn part(whole: Duration, fraction: f64) -> Duration {
    if fraction >= 1.0 {
        return whole;
    }
    let nanos = (whole.as_secs_f64() * fraction * 1e9).round();
    Duration::from_nanos(nanos as u64).min(whole)
}
