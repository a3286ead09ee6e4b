//! The service: [`View`].

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio_ctx_core::Context;
use tokio_ctx_core::owner::in_flight;
use tower_service::Service;

use crate::body::{StreamFormat, ViewBody};
use crate::look::Shared;
use crate::{host, page};

/// So many tasks are shown unless said otherwise; the rest is counted.
const MAX_TASKS: usize = 10_000;

/// A tower service that shows what runs now. The [crate's page](crate) says how to mount it.
///
/// It answers `GET` and `HEAD`; a request with another method gets 405, one that was sent to a
/// host which is neither loopback nor [allowed](View::allow_host) 403, and one with a query that
/// it does not know 400.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, view::View};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let view = View::new(&Context::background());
/// let request = http::Request::builder()
///     .header("host", "localhost:6060")
///     .body(())
///     .unwrap();
/// assert_eq!(view.oneshot(request).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a view shows nothing until it is mounted"]
pub struct View {
    shared: Arc<Shared>,
    allowed: Arc<[String]>,
}

impl View {
    /// A view whose streams end with `ctx`, the server's context.
    ///
    /// From now on the process writes down its requests and queries, and the last hundred ends.
    pub fn new(ctx: &Context) -> View {
        in_flight::observe();
        View {
            shared: Arc::new(Shared {
                ctx: ctx.clone(),
                max_tasks: MAX_TASKS,
                since: Instant::now(),
                last: Mutex::new(None),
            }),
            allowed: Arc::new([]),
        }
    }

    /// Answers requests that were sent to the host `name` too, beside those to loopback.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, view::View};
    /// let view = View::new(&Context::background()).allow_host("debug.internal");
    /// assert!(format!("{view:?}").contains("debug.internal"));
    /// ```
    pub fn allow_host(mut self, name: impl Into<String>) -> View {
        let mut allowed = self.allowed.to_vec();
        allowed.push(name.into());
        self.allowed = allowed.into();
        self
    }

    /// Shows at most `num` tasks, and says how many more there are. 10,000 unless set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, view::View};
    /// let view = View::new(&Context::background()).max_tasks(500);
    /// assert!(format!("{view:?}").contains("500"));
    /// ```
    pub fn max_tasks(self, num: usize) -> View {
        let shared = Shared {
            ctx: self.shared.ctx.clone(),
            max_tasks: num,
            since: self.shared.since,
            last: Mutex::new(None),
        };
        View {
            shared: Arc::new(shared),
            ..self
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<ViewBody> {
        match host::host_of(request) {
            None => return refusal(StatusCode::BAD_REQUEST, "the request names no host\n"),
            Some(host) if !host::is_allowed(host, &self.allowed) => {
                let why = "this view answers only under a loopback address; \
                           allow another host with View::allow_host\n";
                return refusal(StatusCode::FORBIDDEN, why);
            }
            Some(_) => {}
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "the view is read-only\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allow);
            return response;
        }
        let shared = &self.shared;
        let (kind, body) = match request.uri().query() {
            None if wants_html(request) => ("text/html; charset=utf-8", whole(page::HTML)),
            None | Some("text") => (TEXT, ViewBody::whole(shared.look().text())),
            Some("json") => ("application/json", ViewBody::whole(shared.look().json())),
            Some("css") => ("text/css; charset=utf-8", whole(page::CSS)),
            Some("js") => ("text/javascript; charset=utf-8", whole(page::JS)),
            Some("icon") => ("image/svg+xml", whole(page::ICON)),
            Some("watch") => (TEXT, self.stream(StreamFormat::Text)),
            Some("events") => ("text/event-stream", self.stream(StreamFormat::Events)),
            Some(_) => {
                let why = "the view knows ?text, ?json, ?watch and ?events\n";
                return refusal(StatusCode::BAD_REQUEST, why);
            }
        };
        let is_head = request.method() == Method::HEAD;
        response(StatusCode::OK, kind, if is_head { whole("") } else { body })
    }

    fn stream(&self, format: StreamFormat) -> ViewBody {
        ViewBody::stream(Arc::clone(&self.shared), format)
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn whole(text: &'static str) -> ViewBody {
    ViewBody::whole(Bytes::from_static(text.as_bytes()))
}

fn refusal(status: StatusCode, why: &'static str) -> Response<ViewBody> {
    response(status, TEXT, whole(why))
}

fn response(status: StatusCode, kind: &'static str, body: ViewBody) -> Response<ViewBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Browsers name HTML, curl names nothing.
fn wants_html<B>(request: &Request<B>) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    accept.is_some_and(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    })
}

impl<B> Service<Request<B>> for View {
    type Response = Response<ViewBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<ViewBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("max_tasks", &self.shared.max_tasks)
            .field("allowed_hosts", &self.allowed)
            .finish_non_exhaustive()
    }
}
