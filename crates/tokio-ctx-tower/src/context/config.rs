//! What a layer was told, and how the context of a request is made of it.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, Request};
use tokio_ctx_core::{Context, owner};

use crate::context::end::RequestEnd;
use crate::error::DeadlineSource;
use crate::headers::{GRPC_TIMEOUT, Ignored, KeyList, has, parse_chosen, parse_grpc, text_of};

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
    counters: Arc<Counters>,
    /// What the extensions of a request that has none yet start as.
    room: Extensions,
}

/// A [`DeadlineSource`], made once and shared by all requests.
type Cause = Arc<dyn Error + Send + Sync>;

/// A duration of the server's own.
#[derive(Clone)]
pub(crate) struct Limit {
    timeout: Duration,
    limit: owner::Limit,
}

/// A header that brings a duration.
#[derive(Clone)]
pub(crate) struct TimeoutHeader {
    name: HeaderName,
    parse: fn(&str) -> Option<Duration>,
    cause: Cause,
}

/// What a layer and its clones count together.
struct Counters {
    ignored_headers: AtomicU64,
    live: Arc<Live>,
}

/// Held once by each request that is not over: how often it is held says how many there are,
/// and the request needs no second atomic operation to be counted.
pub(crate) struct Live {
    /// Of the call that made the layer.
    pub(crate) location: &'static Location<'static>,
}

/// Takes up room among extensions.
#[derive(Clone)]
struct Seat<const N: usize>;

/// Empty extensions with room for the context and for the three that a router of axum adds.
///
/// A table that is made for the context alone has room for three: the router would have to
/// replace it by a larger one in each request. A clone of a table has as much room as it has.
fn room() -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(Seat::<0>);
    extensions.insert(Seat::<1>);
    extensions.insert(Seat::<2>);
    extensions.insert(Seat::<3>);
    extensions.clear();
    extensions
}

impl Limit {
    pub(crate) fn new(timeout: Duration, source: DeadlineSource) -> Limit {
        let limit = owner::Limit::new(timeout, Some(Arc::new(source)));
        Limit { timeout, limit }
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
            counters: Arc::new(Counters {
                ignored_headers: AtomicU64::new(0),
                live: Arc::new(Live { location }),
            }),
            room: room(),
        }
    }

    pub(crate) fn num_ignored_headers(&self) -> u64 {
        self.counters.ignored_headers.load(Ordering::Relaxed)
    }

    pub(crate) fn num_live_requests(&self) -> u64 {
        // All but the one that is kept here.
        Arc::strong_count(&self.counters.live) as u64 - 1
    }

    /// Makes the context of a request and puts it among the extensions.
    pub(crate) fn begin<B>(&self, request: &mut Request<B>) -> RequestEnd {
        let headers = request.headers();
        let above = request
            .extensions()
            .get::<Context>()
            .unwrap_or(&self.server);
        let live = &self.counters.live;
        let mut guard = match self.asked(headers) {
            None => owner::begin(above, self.own().map(|own| &own.limit), live.location),
            Some((timeout, cause)) => match &self.max {
                Some(max) if max.timeout < timeout => {
                    owner::begin(above, Some(&max.limit), live.location)
                }
                _ => {
                    let limit = owner::Limit::new(timeout, Some(Arc::clone(cause)));
                    owner::begin(above, Some(&limit), live.location)
                }
            },
        };
        if !self.keys.is_empty() {
            guard = guard.map(|ctx| {
                self.keys
                    .read(ctx, headers, |name, why| self.ignored(name, why))
            });
        }
        let extensions = request.extensions_mut();
        if extensions.is_empty() {
            *extensions = self.room.clone();
        }
        extensions.insert(Context::clone(&guard));
        RequestEnd::new(guard, Arc::clone(live))
    }

    /// The limit of a request that asks for none.
    fn own(&self) -> Option<&Limit> {
        match (&self.default, &self.max) {
            (Some(default), Some(max)) if max.timeout < default.timeout => Some(max),
            (default, max) => default.as_ref().or(max.as_ref()),
        }
    }

    /// The shorter of what the headers ask for.
    fn asked(&self, headers: &HeaderMap) -> Option<(Duration, &Cause)> {
        let is_there = |header: &&TimeoutHeader| has(headers, &header.name);
        let read = |header| self.read_timeout(headers, header);
        let grpc = self.grpc_header.as_ref().filter(is_there).and_then(read);
        let chosen = self.chosen_header.as_ref().filter(is_there).and_then(read);
        match (grpc, chosen) {
            (Some(grpc), Some(chosen)) if chosen.0 < grpc.0 => Some(chosen),
            (grpc, chosen) => grpc.or(chosen),
        }
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
