//! The error of a request whose context ended: [`ContextError`].

use std::error::Error;
use std::fmt;

use http::{HeaderName, StatusCode};
use tokio_ctx_core::{Cancelled, Reason};

/// An error of whatever type.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A [`Cancelled`] on its way to the other side of the wire.
///
/// It is a response of axum and a status of tonic, which `Cancelled`, a type of another crate,
/// cannot be. Handlers get it by `?`. The client gets [`status`](Self::status) and
/// [`code`](Self::code); the line of source and the cause stay here, for the log.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextError;
///
/// fn handler(ctx: &Context) -> Result<&'static str, ContextError> {
///     ctx.check()?;
///     Ok("in time")
/// }
///
/// let late = Context::background().with_timeout(Duration::ZERO);
/// let error = handler(&late).unwrap_err();
/// assert_eq!(error.status(), 504);
/// assert_eq!(error.code(), "deadline_exceeded");
/// ```
#[derive(Clone, Debug)]
pub struct ContextError(Cancelled);

/// What a response says of an error.
struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    json: &'static str,
}

/// Text that is put together here and not for each response; none of it needs an escape.
macro_rules! problem {
    ($status:literal, $code:literal, $title:literal) => {
        Problem {
            status: $status,
            code: $code,
            title: $title,
            json: concat!(
                r#"{"status":"#,
                $status,
                r#","code":""#,
                $code,
                r#"","title":""#,
                $title,
                r#""}"#
            ),
        }
    };
}

static TIMEOUT: Problem = problem!(
    504,
    "deadline_exceeded",
    "the deadline of the request has passed"
);
static SHUTDOWN: Problem = problem!(503, "shutting_down", "the server is shutting down");
static GONE: Problem = problem!(499, "client_closed_request", "the client went away");
static CANCELLED: Problem = problem!(500, "cancelled", "the request was cancelled");

impl ContextError {
    /// What ended the context.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextError;
    ///
    /// let late = Context::background().with_timeout(Duration::ZERO);
    /// let error = ContextError::from(late.err().unwrap());
    /// assert!(error.cancelled().is_timeout());
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> &Cancelled {
        &self.0
    }

    /// The HTTP status that says it.
    ///
    /// 504 when time ran out, 503 when the server shuts down, 499 when the client went away
    /// (only the access log reads it), 500 for what the server did to itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use tokio_ctx_core::{Reason, owner};
    /// use tokio_ctx::tower::ContextError;
    ///
    /// let error = |reason| ContextError::from(owner::cancelled(reason, Location::caller(), None));
    /// assert_eq!(error(Reason::Deadline).status(), 504);
    /// assert_eq!(error(Reason::Shutdown).status(), 503);
    /// assert_eq!(error(Reason::CallerGone).status().as_u16(), 499);
    /// assert_eq!(error(Reason::TaskPanicked).status(), 500);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let status = StatusCode::from_u16(self.problem().status);
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The word for it that programs read.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use tokio_ctx_core::{Reason, owner};
    /// use tokio_ctx::tower::ContextError;
    ///
    /// let error = |reason| ContextError::from(owner::cancelled(reason, Location::caller(), None));
    /// assert_eq!(error(Reason::Deadline).code(), "deadline_exceeded");
    /// assert_eq!(error(Reason::Shutdown).code(), "shutting_down");
    /// assert_eq!(error(Reason::CallerGone).code(), "client_closed_request");
    /// assert_eq!(error(Reason::Cancelled).code(), "cancelled");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem().code
    }

    /// The sentence for it that people read. Gives away nothing of the server.
    pub(crate) fn title(&self) -> &'static str {
        self.problem().title
    }

    /// All of it in JSON: RFC 9457.
    pub(crate) fn json(&self) -> &'static str {
        self.problem().json
    }

    fn problem(&self) -> &'static Problem {
        match self.0.reason() {
            _ if self.0.is_timeout() => &TIMEOUT,
            Reason::Shutdown | Reason::Signal => &SHUTDOWN,
            Reason::CallerGone => &GONE,
            _ => &CANCELLED,
        }
    }

    /// The number of the gRPC status: DEADLINE_EXCEEDED, UNAVAILABLE or CANCELLED.
    pub(crate) fn grpc_code(&self) -> u16 {
        match self.0.reason() {
            _ if self.0.is_timeout() => 4,
            Reason::Shutdown | Reason::Signal => 14,
            _ => 1,
        }
    }
}

impl From<Cancelled> for ContextError {
    fn from(cancelled: Cancelled) -> ContextError {
        ContextError(cancelled)
    }
}

impl From<ContextError> for Cancelled {
    fn from(error: ContextError) -> Cancelled {
        error.0
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ContextError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Who asked for the deadline of a request: the cause of the [`Cancelled`] of a deadline that
/// [`ContextLayer`](crate::ContextLayer) set.
///
/// # Examples
///
/// ```
/// use tokio_ctx::Cancelled;
/// use tokio_ctx::tower::context::DeadlineSource;
///
/// fn is_the_clients_own_doing(cancelled: &Cancelled) -> bool {
///     matches!(cancelled.cause(), Some(DeadlineSource::Header(_)))
/// }
/// # let ctx = tokio_ctx::Context::background().with_timeout(std::time::Duration::ZERO);
/// # assert!(!is_the_clients_own_doing(&ctx.err().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlineSource {
    /// The client, in the header of that name.
    Header(HeaderName),
    /// The server: no client said anything, or none that could be read.
    Default,
    /// The server: it allows no more, whatever the client asked for.
    Maximum,
}

impl fmt::Display for DeadlineSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeadlineSource::Header(name) => write!(f, "asked for in {name}"),
            DeadlineSource::Default => f.write_str("the server's default"),
            DeadlineSource::Maximum => f.write_str("the server's maximum"),
        }
    }
}

impl Error for DeadlineSource {}
