//! Why work on a database gave no output.

use std::error::Error as StdError;
use std::fmt;

use tokio_ctx_core::Cancelled;
use tokio_ctx_core::owner::one_line;

/// Why work on a database gave no output.
///
/// What the work itself returns, errors included, is never in here: it is given back as it is.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context};
/// use tokio_ctx_db::Error;
///
/// let ctx = Context::background().with_cancel();
/// ctx.cancel_with("the client hung up");
/// let error = Error::from(ctx.check().unwrap_err());
/// assert!(error.cancelled().is_some() && !error.is_closed());
/// assert!(error.to_string().contains("the client hung up"));
/// ```
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Cancelled(Cancelled),
    CommitUnknown(Cancelled),
    Closed,
    Database(Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// Why the context ended, if it did. The work has stopped at the server then, or its
    /// connection is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    /// use tokio_ctx_db::Error;
    ///
    /// let late = Context::background().with_timeout(std::time::Duration::ZERO);
    /// let error = Error::from(late.err().unwrap());
    /// assert!(error.cancelled().unwrap().is_timeout());
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match &self.0 {
            Kind::Cancelled(why) | Kind::CommitUnknown(why) => Some(why),
            _ => None,
        }
    }

    /// Whether a COMMIT was sent and its answer did not come within the grace: it is unknown
    /// whether the transaction has happened.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx_db::Error;
    ///
    /// /// Whether to answer "try again" rather than "ask whether it happened".
    /// fn is_safe_to_retry(error: &Error) -> bool {
    ///     !error.is_commit_unknown()
    /// }
    /// # let ctx = tokio_ctx::Context::background().with_timeout(std::time::Duration::ZERO);
    /// # assert!(is_safe_to_retry(&ctx.err().unwrap().into()));
    /// ```
    #[must_use]
    pub fn is_commit_unknown(&self) -> bool {
        matches!(self.0, Kind::CommitUnknown(_))
    }

    /// Whether the connection was closed by what was done with it before: it could not be made
    /// clean within the grace. Take another one.
    ///
    /// # Examples
    ///
    /// ```
    /// # let ctx = tokio_ctx::Context::background().with_timeout(std::time::Duration::ZERO);
    /// # let error = tokio_ctx_db::Error::from(ctx.err().unwrap());
    /// assert!(!error.is_closed(), "the context ended, and the connection was kept");
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.0, Kind::Closed)
    }

    pub(crate) fn closed() -> Error {
        Error(Kind::Closed)
    }

    pub(crate) fn commit_unknown(why: Cancelled) -> Error {
        Error(Kind::CommitUnknown(why))
    }

    pub(crate) fn database(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error(Kind::Database(error.into()))
    }
}

impl From<Cancelled> for Error {
    fn from(why: Cancelled) -> Error {
        Error(Kind::Cancelled(why))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cancelled(why) => why.fmt(f),
            Kind::CommitUnknown(why) => {
                write!(
                    f,
                    "it is not known whether the transaction was committed: {why}"
                )
            }
            Kind::Closed => f.write_str("the connection was closed by an earlier cancel"),
            Kind::Database(error) => write!(f, "database: {}", one_line(error)),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Kind::Cancelled(why) | Kind::CommitUnknown(why) => Some(why),
            Kind::Closed => None,
            Kind::Database(error) => Some(&**error),
        }
    }
}
