//! The settings of a layer, and how the context of a request is made from them.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Extensions, HeaderName, Request};
use tokio_ctx_core::owner::in_flight;
use tokio_ctx_core::{CancelGuard, Context, owner};
use tracing::level_filters::LevelFilter;

use crate::context::end::RequestEnd;
use crate::context::summary::{Identity, RequestSummary};
use crate::error::DeadlineSource;
use crate::headers::{
    Carrier, GRPC_TIMEOUT, Ignored, KeyList, MAX_TIMEOUT_BYTES, parse_chosen, parse_deadline,
    parse_grpc, text_of,
};

/// What all requests of a layer share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) server: Context,
    pub(crate) keys: KeyList,
    /// The headers that bring a deadline; the earliest holds.
    pub(crate) timeouts: Vec<TimeoutHeader>,
    pub(crate) default: Option<Limit>,
    pub(crate) max: Option<Limit>,
    pub(crate) answers_when_done: bool,
    counters: Arc<Counters>,
    /// What the extensions of a request that has none yet start as.
    empty_extensions: Extensions,
}

/// A context whose deadline has a [`DeadlineSource`] as its cause: made once, for all requests.
type Cause = Context;

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
    form: Form,
    cause: Cause,
}

/// How a header writes a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// What is left, as `grpc-timeout` has it.
    Grpc,
    /// What is left, in milliseconds or with a unit.
    Left,
    /// A time of RFC 3339.
    Time,
}

/// What a layer and its clones count together.
struct Counters {
    ignored_headers: AtomicU64,
    live: Arc<Live>,
}

/// Called with each request that is over.
pub(crate) type OnEnd = dyn Fn(&RequestSummary) + Send + Sync;

/// Held once by each request that is not over: how often it is held says how many there are,
/// and the request needs no second atomic operation to be counted.
pub(crate) struct Live {
    /// Of the call that made the layer.
    pub(crate) location: &'static Location<'static>,
    pub(crate) on_end: Option<Arc<OnEnd>>,
}

/// Empty extensions with capacity for the context and for the three that a router of axum adds.
///
/// A table that is made for the context alone has capacity for three: the router would have to
/// replace it by a larger one in each request. A clone of a table has the capacity of the table,
/// and there is no other way to reserve it.
pub(crate) fn with_capacity_for_a_router() -> Extensions {
    #[derive(Clone)]
    struct Entry<const N: usize>;

    let mut extensions = Extensions::new();
    extensions.insert(Entry::<0>);
    extensions.insert(Entry::<1>);
    extensions.insert(Entry::<2>);
    extensions.insert(Entry::<3>);
    extensions.clear();
    extensions
}

/// A context with a deadline that nobody waits for: it has the cause, and each request shares it.
fn cause(source: DeadlineSource) -> Cause {
    Context::background().with_timeout_cause(Duration::from_secs(1), source)
}

impl Limit {
    pub(crate) fn new(timeout: Duration, source: DeadlineSource) -> Limit {
        let cause = cause(source);
        Limit { timeout, cause }
    }
}

impl TimeoutHeader {
    pub(crate) fn new(name: HeaderName, form: Form) -> TimeoutHeader {
        let cause = cause(DeadlineSource::Header(name.clone()));
        TimeoutHeader { name, form, cause }
    }
}

impl Form {
    fn parse(self, text: &str) -> Option<Duration> {
        match self {
            Form::Grpc => parse_grpc(text),
            Form::Left => parse_chosen(text),
            Form::Time => parse_deadline(text),
        }
    }
}

impl Config {
    pub(crate) fn new(server: &Context, location: &'static Location<'static>) -> Config {
        Config {
            server: server.clone(),
            keys: KeyList::default(),
            timeouts: vec![TimeoutHeader::new(GRPC_TIMEOUT, Form::Grpc)],
            default: None,
            max: None,
            answers_when_done: false,
            counters: Arc::new(Counters {
                ignored_headers: AtomicU64::new(0),
                live: Arc::new(Live {
                    location,
                    on_end: None,
                }),
            }),
            empty_extensions: with_capacity_for_a_router(),
        }
    }

    /// Reads a deadline from that header, in place of another that is written like it.
    pub(crate) fn read_from(&mut self, name: HeaderName, form: Form) {
        self.read_none(form);
        self.timeouts.push(TimeoutHeader::new(name, form));
    }

    /// Reads no deadline that is written like that.
    pub(crate) fn read_none(&mut self, form: Form) {
        self.timeouts.retain(|header| header.form != form);
    }

    pub(crate) fn on_end(&mut self, hook: Arc<OnEnd>) {
        let location = self.counters.live.location;
        let ignored = self.num_ignored_headers();
        let live = Live {
            location,
            on_end: Some(hook),
        };
        self.counters = Arc::new(Counters {
            ignored_headers: AtomicU64::new(ignored),
            live: Arc::new(live),
        });
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
        let above = request.extensions().get::<Context>();
        let guard = self.derive(above.unwrap_or(&self.server), request.headers());
        let in_flight = in_flight::enter("request", &guard, |label| {
            label.push_str(request.method().as_str());
            label.push(' ');
            label.push_str(request.uri().path());
        });
        let live = Arc::clone(&self.counters.live);
        let is_wanted = live.on_end.is_some() || LevelFilter::current() >= LevelFilter::DEBUG;
        let identity = is_wanted.then(|| Identity::of(request));
        let extensions = request.extensions_mut();
        if extensions.is_empty() {
            *extensions = self.empty_extensions.clone();
        }
        extensions.insert(Context::clone(&guard));
        RequestEnd::new(guard, live, in_flight, identity)
    }

    /// A context under `ctx`, with the deadline and the keys that came with something.
    pub(crate) fn derive(&self, ctx: &Context, from: &impl Carrier) -> CancelGuard {
        let location = self.counters.live.location;
        let (timeout, cause) = self.limit(self.asked(from)).unzip();
        let guard = owner::begin(ctx, timeout, cause, location);
        if self.keys.is_empty() {
            return guard;
        }
        guard.map(|ctx| {
            self.keys
                .read(ctx, from, |name, why| self.ignored(name, why))
        })
    }

    /// The one place where it is decided how long a request may take.
    ///
    /// No request gets more than the maximum; where only a default is set, it is the maximum.
    fn limit<'c>(&'c self, asked: Option<(Duration, &'c Cause)>) -> Option<(Duration, &'c Cause)> {
        let limit = |limit: &'c Limit| (limit.timeout, &limit.cause);
        let most = self.max.as_ref().or(self.default.as_ref()).map(limit);
        let own = asked.or(self.default.as_ref().map(limit));
        match (own, most) {
            (Some(own), Some(most)) if own.0 > most.0 => Some(most),
            (own, most) => own.or(most),
        }
    }

    /// The shortest of what the headers ask for.
    fn asked(&self, from: &impl Carrier) -> Option<(Duration, &Cause)> {
        let read = |header| self.read_timeout(from, header);
        let asked = self.timeouts.iter().filter_map(read);
        asked.min_by_key(|(timeout, _)| *timeout)
    }

    fn read_timeout<'c>(
        &self,
        from: &impl Carrier,
        header: &'c TimeoutHeader,
    ) -> Option<(Duration, &'c Cause)> {
        let TimeoutHeader { name, form, cause } = header;
        let read = match text_of(from, name, MAX_TIMEOUT_BYTES) {
            Ok(None) => return None,
            Ok(Some(text)) => form.parse(text).ok_or(Ignored::Malformed),
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
                "timeout_headers",
                &self
                    .timeouts
                    .iter()
                    .map(|header| &header.name)
                    .collect::<Vec<_>>(),
            )
            .field("default_timeout", &timeout(&self.default))
            .field("max_timeout", &timeout(&self.max))
            .finish_non_exhaustive()
    }
}
