//! What a request was like, for metrics and logs: [`RequestSummary`].

use std::fmt;
use std::time::Duration;

use http::{Method, Request, StatusCode, Uri};
use tokio::time::Instant;
use tokio_ctx_core::{Cancelled, Context, Reason};

/// What a request was like, once it is over: given to
/// [`ContextLayer::on_end`](crate::ContextLayer::on_end).
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::context::RequestSummary;
///
/// fn line(request: &RequestSummary) -> String {
///     let route = request.route().unwrap_or("other");
///     let millis = request.age().as_millis();
///     format!("{} {route} {:?} {:?} {millis}", request.method(), request.status(), request.reason())
/// }
/// # let _ = line;
/// ```
pub struct RequestSummary {
    identity: Box<Identity>,
    status: Option<StatusCode>,
    why: Cancelled,
    ctx: Context,
    ended: Instant,
}

/// What is recorded of a request when it begins, if a hook or a view reads it.
pub(crate) struct Identity {
    method: Method,
    uri: Uri,
    #[cfg(feature = "axum")]
    route: Option<::axum::extract::MatchedPath>,
    begun: Instant,
}

impl Identity {
    pub(crate) fn of<B>(request: &Request<B>) -> Box<Identity> {
        Box::new(Identity {
            method: request.method().clone(),
            uri: request.uri().clone(),
            #[cfg(feature = "axum")]
            route: request.extensions().get().cloned(),
            begun: Instant::now(),
        })
    }
}

impl RequestSummary {
    pub(crate) fn new(
        ctx: Context,
        identity: Box<Identity>,
        status: Option<StatusCode>,
        why: Cancelled,
    ) -> RequestSummary {
        RequestSummary {
            identity,
            status,
            why,
            ctx,
            ended: Instant::now(),
        }
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.identity.method
    }

    /// The path that was asked for, without its query. There are as many as clients think of:
    /// right for a log, too many for the label of a metric.
    #[must_use]
    pub fn path(&self) -> &str {
        self.identity.uri.path()
    }

    /// The route that matched, such as `/users/{id}`, if the layer is on routes of axum: by
    /// `Router::layer` or `route_layer`. Around a whole router no route is known yet.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        #[cfg(feature = "axum")]
        let route = self
            .identity
            .route
            .as_ref()
            .map(axum::extract::MatchedPath::as_str);
        #[cfg(not(feature = "axum"))]
        let route = None;
        route
    }

    /// The status of the response, if there was one. Of gRPC it is 200 whatever happened.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// What ended the context of the request:
    /// [`RequestFinished`](Reason::RequestFinished) if all went well.
    #[must_use]
    pub fn why(&self) -> &Cancelled {
        &self.why
    }

    /// The reason of [`why`](Self::why).
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.why.reason()
    }

    /// How long the request took, to the end of its response.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.ended.duration_since(self.identity.begun)
    }

    /// What was left of its deadline, zero if that had passed; `None` if it had none.
    #[must_use]
    pub fn slack(&self) -> Option<Duration> {
        let at = self.ctx.deadline()?;
        Some(at.saturating_duration_since(self.ended))
    }

    /// The context of the request, for its values. It has ended.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Writes a line for a request that did not come to its own end.
    pub(crate) fn log(&self) {
        let what = match self.reason() {
            Reason::CallerGone => "the client went away before it had its answer",
            _ if self.why.is_timeout() => "a request had not ended at its deadline",
            _ => return,
        };
        tracing::debug!(
            method = %self.method(),
            path = self.path(),
            route = self.route(),
            status = self.status.map(|status| status.as_u16()),
            age_ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX),
            values = %Values(&self.ctx),
            why = %self.why,
            "{what}"
        );
    }
}

/// The values of a context that may be printed, the id of a trace for one.
struct Values<'a>(&'a Context);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.printable_values().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RequestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSummary")
            .field("method", self.method())
            .field("path", &self.path())
            .field("route", &self.route())
            .field("status", &self.status)
            .field("why", &self.why)
            .field("age", &self.age())
            .field("slack", &self.slack())
            .finish_non_exhaustive()
    }
}
