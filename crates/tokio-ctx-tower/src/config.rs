//! What a layer was told, and how the context of a request is made of it.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request};
use tokio_ctx::{Context, owner};

use crate::end::RequestEnd;
use crate::error::DeadlineSource;
use crate::headers::{GRPC_TIMEOUT, Ignored, KeyList, parse_chosen, parse_grpc, text_of};

/// The longest header with a duration that is read.
const MAX_TIMEOUT_BYTES: usize = 32;

/// What all requests of a layer share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) server: Context,
    pub(crate) keys: KeyList,
    pub(crate) grpc_header: Option<TimeoutHeader>,
    pub(crate) chosen_header: Option<TimeoutHeader>,
    pub(crate) default: Option<Limit>,
    pub(crate) max: Option<Limit>,
    pub(crate) answers_when_done: bool,
    /// Of the call that made the layer.
    pub(crate) location: &'static Location<'static>,
    counters: Arc<Counters>,
}

/// A [`DeadlineSource`], made once and shared by all requests.
type Cause = Arc<dyn Error + Send + Sync>;

/// A duration of the server's own.
#[derive(Clone)]
pub(crate) struct Limit {
    timeout: Duration,
    cause: Cause,
}

/// A header that brings a duration.
#[derive(Clone)]
pub(crate) struct TimeoutHeader {
    name: HeaderName,
    parse: fn(&str) -> Option<Duration>,
    cause: Cause,
}

#[derive(Default)]
struct Counters {
    ignored_headers: AtomicU64,
    live_requests: AtomicU64,
}

impl Limit {
    pub(crate) fn new(timeout: Duration, source: DeadlineSource) -> Limit {
        let cause = Arc::new(source);
        Limit { timeout, cause }
    }

    fn get(&self) -> (Duration, &Cause) {
        (self.timeout, &self.cause)
    }
}

impl TimeoutHeader {
    fn grpc() -> TimeoutHeader {
        TimeoutHeader::new(GRPC_TIMEOUT, parse_grpc)
    }

    pub(crate) fn chosen(name: HeaderName) -> TimeoutHeader {
        TimeoutHeader::new(name, parse_chosen)
    }

    fn new(name: HeaderName, parse: fn(&str) -> Option<Duration>) -> TimeoutHeader {
        let cause = Arc::new(DeadlineSource::Header(name.clone()));
        TimeoutHeader { name, parse, cause }
    }
}

impl Config {
    pub(crate) fn new(server: &Context, location: &'static Location<'static>) -> Config {
        Config {
            server: server.clone(),
            keys: KeyList::default(),
            grpc_header: Some(TimeoutHeader::grpc()),
            chosen_header: None,
            default: None,
            max: None,
            answers_when_done: false,
            location,
            counters: Arc::default(),
        }
    }

    pub(crate) fn num_ignored_headers(&self) -> u64 {
        self.counters.ignored_headers.load(Ordering::Relaxed)
    }

    pub(crate) fn num_live_requests(&self) -> u64 {
        self.counters.live_requests.load(Ordering::Relaxed)
    }

    /// Makes the context of a request and puts it among the extensions.
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &mut Request<B>) -> RequestEnd {
        let headers = request.headers();
        let above = request
            .extensions()
            .get::<Context>()
            .unwrap_or(&self.server);
        let limit = self.timeout(headers);
        let limit = limit.map(|(timeout, cause)| (timeout, Some(Arc::clone(cause))));
        let mut guard = owner::begin(above, limit, self.location);
        if !self.keys.is_empty() {
            guard = guard.map(|ctx| {
                self.keys
                    .read(ctx, headers, |name, why| self.ignored(name, why))
            });
        }
        request.extensions_mut().insert(Context::clone(&guard));
        self.counters.live_requests.fetch_add(1, Ordering::Relaxed);
        RequestEnd::new(guard, Arc::clone(self))
    }

    /// Called once for each [`begin`](Self::begin).
    pub(crate) fn ended(&self) {
        self.counters.live_requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// The shortest of what the headers ask for, or else the default; the maximum at most.
    fn timeout(&self, headers: &HeaderMap) -> Option<(Duration, &Cause)> {
        let read = |header| self.read_timeout(headers, header);
        let grpc = self.grpc_header.as_ref().and_then(read);
        let chosen = self.chosen_header.as_ref().and_then(read);
        let asked = shorter(grpc, chosen).or(self.default.as_ref().map(Limit::get));
        shorter(asked, self.max.as_ref().map(Limit::get))
    }

    fn read_timeout<'c>(
        &self,
        headers: &HeaderMap,
        header: &'c TimeoutHeader,
    ) -> Option<(Duration, &'c Cause)> {
        let TimeoutHeader { name, parse, cause } = header;
        let read = match text_of(headers, name, MAX_TIMEOUT_BYTES, false) {
            Ok(None) => return None,
            Ok(Some(text)) => parse(&text).ok_or(Ignored::Malformed),
            Err(why) => Err(why),
        };
        match read {
            Ok(timeout) => Some((timeout, cause)),
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

/// The first of two that are equal.
fn shorter<'c>(
    one: Option<(Duration, &'c Cause)>,
    two: Option<(Duration, &'c Cause)>,
) -> Option<(Duration, &'c Cause)> {
    match (one, two) {
        (Some(one), Some(two)) if two.0 < one.0 => Some(two),
        (one, two) => one.or(two),
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = |limit: &Option<Limit>| limit.as_ref().map(|limit| limit.timeout);
        f.debug_struct("ContextLayer")
            .field("server", &self.server)
            .field("keys", &self.keys)
            .field(
                "timeout_header",
                &self.chosen_header.as_ref().map(|header| &header.name),
            )
            .field("default_timeout", &timeout(&self.default))
            .field("max_timeout", &timeout(&self.max))
            .finish_non_exhaustive()
    }
}
