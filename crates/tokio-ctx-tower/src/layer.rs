//! The layer for servers: [`ContextLayer`].

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request};
use tokio_ctx::{Context, owner};
use tower_layer::Layer;

use crate::end::RequestEnd;
use crate::error::DeadlineSource;
use crate::headers::{self, GRPC_TIMEOUT, HeaderKey, Ignored, KeyList};
use crate::service::ContextService;

/// The longest header with a duration that is read.
const MAX_TIMEOUT_BYTES: usize = 32;

/// Gives each request a [`Context`] under the server's, among the request's extensions.
///
/// The context ends
///
/// - with the server's;
/// - at the deadline of the header `grpc-timeout`, or of one that
///   [`timeout_header`](Self::timeout_header) names, or at the
///   [default](Self::default_timeout), and at the [maximum](Self::max_timeout) in any case;
/// - with [`CallerGone`](tokio_ctx::Reason::CallerGone) when the response, or its body, is
///   dropped unfinished, which is what servers do when the client closes the connection or
///   resets its stream;
/// - with [`RequestFinished`](tokio_ctx::Reason::RequestFinished) when the response is done,
///   body included.
///
/// It carries the [keys](Self::key) that are listed, and no others.
///
/// No header can fail a request: what is malformed, too long or repeated is ignored, and
/// counted in [`ignored_headers`](Self::ignored_headers). No header's value is ever printed.
///
/// A body that has no known length, a stream of events for one, ends with the context: quietly
/// if it is `text/event-stream`, with the gRPC status of the end if it is gRPC, with an error
/// that the client can see otherwise. Bodies of known length are left to finish.
///
/// Handlers in a router of axum or tonic find the context by the extractors of the features
/// `axum` and `tonic`; any other service as `request.extensions().get::<Context>()`. A layer
/// inside another derives from the outer one's context.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::BodyExt as _;
/// use tokio_ctx::{Context, owner};
/// use tokio_ctx_tower::ContextLayer;
/// use tower::{ServiceExt, service_fn};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let server = Context::background().with_cancel();
/// let layer = ContextLayer::new(&server)
///     .default_timeout(Duration::from_secs(5))
///     .max_timeout(Duration::from_secs(30));
///
/// let service = layer.layer(service_fn(async |request: Request<String>| {
///     let ctx = request.extensions().get::<Context>().unwrap();
///     Ok::<_, Infallible>(Response::new(format!("{:?}", ctx.remaining().unwrap())))
/// }));
///
/// let request = Request::builder().header("grpc-timeout", "250m").body(String::new()).unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// let body = response.into_body().collect().await.unwrap();
/// assert_eq!(body.to_bytes(), "250ms");
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until a service is wrapped in it"]
pub struct ContextLayer {
    config: Arc<Config>,
}

/// What all requests of a layer share.
#[derive(Clone)]
pub(crate) struct Config {
    server: Context,
    keys: KeyList,
    grpc_header: Option<HeaderName>,
    timeout_header: Option<HeaderName>,
    default_timeout: Option<Duration>,
    max_timeout: Option<Duration>,
    answers_when_done: bool,
    location: &'static Location<'static>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    ignored_headers: AtomicU64,
    live_requests: AtomicU64,
}

impl ContextLayer {
    /// A layer whose contexts end with `server`, at the latest.
    ///
    /// With the context of a scope for `server`, that scope waits for the work of requests
    /// whose handlers were dropped.
    #[track_caller]
    pub fn new(server: &Context) -> ContextLayer {
        let config = Config {
            server: server.clone(),
            keys: KeyList::default(),
            grpc_header: Some(GRPC_TIMEOUT),
            timeout_header: None,
            default_timeout: None,
            max_timeout: None,
            answers_when_done: false,
            location: Location::caller(),
            counters: Arc::default(),
        };
        ContextLayer {
            config: Arc::new(config),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> ContextLayer {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// Reads the value of `K` from its header.
    ///
    /// Only what is listed here is read. Think of who can reach the server before listing a
    /// key that decides something: see [`HeaderKey`].
    pub fn key<K: HeaderKey>(self) -> ContextLayer {
        self.with(|config| config.keys.add::<K>())
    }

    /// Reads a deadline from that header too: digits and a unit (`ns`, `us`, `ms`, `s`, `m`,
    /// `h`), or milliseconds if there is no unit.
    ///
    /// If `grpc-timeout` is there as well, the shorter one holds.
    pub fn timeout_header(self, name: HeaderName) -> ContextLayer {
        self.with(|config| config.timeout_header = Some(name))
    }

    /// Does not read `grpc-timeout`, which is read unless this is called.
    pub fn without_grpc_timeout(self) -> ContextLayer {
        self.with(|config| config.grpc_header = None)
    }

    /// The deadline of requests that bring none that can be read.
    pub fn default_timeout(self, timeout: Duration) -> ContextLayer {
        self.with(|config| config.default_timeout = Some(timeout))
    }

    /// The longest deadline of any request: a longer one is brought forward to it, and a
    /// request without any gets it.
    ///
    /// Without a maximum a client decides for how long the server works for it.
    pub fn max_timeout(self, timeout: Duration) -> ContextLayer {
        self.with(|config| config.max_timeout = Some(timeout))
    }

    /// Answers in the place of a handler that has not answered when the context ends: 504,
    /// 503, or the gRPC status. The handler's future is dropped.
    ///
    /// Without this, a handler that does not look at its context runs to its end, and its late
    /// answer is sent. A gRPC call whose deadline has passed is answered in any case, as tonic
    /// itself does.
    pub fn answer_when_done(self) -> ContextLayer {
        self.with(|config| config.answers_when_done = true)
    }

    /// How many headers were ignored so far, because they were malformed, too long or repeated.
    ///
    /// Clones of the layer count together.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, owner};
    /// use tokio_ctx_tower::ContextLayer;
    ///
    /// let layer = ContextLayer::new(&Context::background());
    /// assert_eq!(layer.ignored_headers(), 0);
    /// ```
    #[must_use]
    pub fn ignored_headers(&self) -> u64 {
        self.config.counters.ignored_headers.load(Ordering::Relaxed)
    }

    /// How many requests have a context that was not ended yet by the end of the request.
    ///
    /// Clones of the layer count together.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, owner};
    /// use tokio_ctx_tower::ContextLayer;
    ///
    /// let layer = ContextLayer::new(&Context::background());
    /// assert_eq!(layer.live_requests(), 0);
    /// ```
    #[must_use]
    pub fn live_requests(&self) -> u64 {
        self.config.counters.live_requests.load(Ordering::Relaxed)
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService::new(Arc::clone(&self.config), inner)
    }
}

impl fmt::Debug for ContextLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl Config {
    /// Makes the context of a request and puts it among the extensions.
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &mut Request<B>) -> RequestEnd {
        let outer = request.extensions().get::<Context>();
        let mut ctx = outer.unwrap_or(&self.server).clone();
        let headers = request.headers();
        self.keys
            .read(&mut ctx, headers, |name, why| self.ignored(name, why));
        if let Some((timeout, source)) = self.timeout(headers) {
            ctx = owner::with_timeout(&ctx, timeout, Some(Arc::new(source)), self.location);
        }
        let guard = ctx.with_cancel();
        request.extensions_mut().insert(Context::clone(&guard));
        self.counters.live_requests.fetch_add(1, Ordering::Relaxed);
        RequestEnd::new(guard, Arc::clone(self))
    }

    /// Called once for each [`begin`](Self::begin).
    pub(crate) fn ended(&self) {
        self.counters.live_requests.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(crate) fn answers_when_done(&self) -> bool {
        self.answers_when_done
    }

    fn timeout(&self, headers: &HeaderMap) -> Option<(Duration, DeadlineSource)> {
        let grpc = self.grpc_header.as_ref();
        let grpc = grpc.and_then(|name| self.read_timeout(headers, name, headers::parse_grpc));
        let chosen = self.timeout_header.as_ref();
        let chosen =
            chosen.and_then(|name| self.read_timeout(headers, name, headers::parse_chosen));
        let default = self
            .default_timeout
            .map(|timeout| (timeout, DeadlineSource::Default));
        let asked = grpc
            .into_iter()
            .chain(chosen)
            .min_by_key(|(timeout, _)| *timeout)
            .or(default);
        let most = self
            .max_timeout
            .map(|timeout| (timeout, DeadlineSource::Maximum));
        asked
            .into_iter()
            .chain(most)
            .min_by_key(|(timeout, _)| *timeout)
    }

    fn read_timeout(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        parse: fn(&str) -> Option<Duration>,
    ) -> Option<(Duration, DeadlineSource)> {
        let read = headers::text_of(headers, name, MAX_TIMEOUT_BYTES, false).and_then(|text| {
            text.map(|text| parse(&text).ok_or(Ignored::Malformed))
                .transpose()
        });
        match read {
            Ok(timeout) => Some((timeout?, DeadlineSource::Header(name.clone()))),
            Err(why) => {
                self.ignored(name, why);
                None
            }
        }
    }

    fn ignored(&self, header: &HeaderName, why: Ignored) {
        self.counters
            .ignored_headers
            .fetch_add(1, Ordering::Relaxed);
        // At a level that no client can fill a disk with.
        tracing::debug!(%header, %why, "ignored a header");
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextLayer")
            .field("server", &self.server)
            .field("keys", &self.keys)
            .field("timeout_header", &self.timeout_header)
            .field("default_timeout", &self.default_timeout)
            .field("max_timeout", &self.max_timeout)
            .finish_non_exhaustive()
    }
}
