//! Keys of contexts that travel in headers.

use std::fmt;

use http::HeaderName;
use tokio_ctx_core::{Context, Key};

use super::Ignored;
use super::carrier::{Carrier, list_of, text_of};
use super::trace::{MAX_TRACEPARENT, MAX_TRACESTATE, TRACEPARENT, TRACESTATE, TraceContext};

/// A [`Key`] whose value travels in a header.
///
/// Implementing it lets nothing in: a server reads only the keys that are listed with
/// [`ContextLayer::key`](crate::ContextLayer::key), and a client sends only those listed with
/// [`PropagateLayer::key`](crate::propagate::PropagateLayer::key).
///
/// A client can send any header. A key that decides something, a user or a
/// tenant, belongs on a list only where only your own edge can reach the server, or if
/// its `decode` verifies a signature.
///
/// # Examples
///
/// ```
/// use http::HeaderName;
/// use tokio_ctx::key;
/// use tokio_ctx::tower::headers::HeaderKey;
///
/// key! {
///     /// Which shop a request is about.
///     pub Shop: u32, print;
/// }
///
/// impl HeaderKey for Shop {
///     const HEADER: HeaderName = HeaderName::from_static("x-shop");
///     const MAX_BYTES: usize = 10;
///
///     fn decode(text: &str) -> Option<u32> {
///         text.parse().ok()
///     }
///
///     fn encode(shop: &u32) -> Option<String> {
///         Some(shop.to_string())
///     }
/// }
///
/// assert_eq!(Shop::decode("17"), Some(17));
/// assert_eq!(Shop::encode(&17).unwrap(), "17");
/// ```
pub trait HeaderKey: Key {
    /// The name of the header.
    const HEADER: HeaderName;

    /// The longest header that is read or sent; a longer one is ignored, and counted. Of a
    /// longer list the members that fit are read.
    const MAX_BYTES: usize = 1024;

    /// Whether the header is a list, whose members may come in several headers. They are joined
    /// with commas before [`decode`](HeaderKey::decode) sees them, which is the one to leave a
    /// malformed member out. Any other header that comes twice is ignored, and counted.
    const IS_LIST: bool = false;

    /// Reads the header. `None` if it is malformed, which never fails the request: the header
    /// is ignored, and counted.
    fn decode(text: &str) -> Option<Self::Value>;

    /// Writes the header. `None` to send none; what no header can hold is not sent either.
    fn encode(value: &Self::Value) -> Option<String>;
}

/// The keys that were listed.
#[derive(Clone, Default)]
pub(crate) struct KeyList {
    keys: Vec<Entry>,
    trace: bool,
}

/// A key without its type.
#[derive(Clone)]
struct Entry {
    header: HeaderName,
    max_bytes: usize,
    is_list: bool,
    decode: fn(&Context, &str) -> Option<Context>,
    encode: fn(&Context) -> Option<String>,
}

impl KeyList {
    /// Listing a key twice lists it once.
    pub(crate) fn add<K: HeaderKey>(&mut self) {
        let entry = Entry {
            header: K::HEADER,
            max_bytes: K::MAX_BYTES,
            is_list: K::IS_LIST,
            decode: |ctx, text| Some(ctx.with_value::<K>(K::decode(text)?)),
            encode: |ctx| K::encode(ctx.value::<K>()?),
        };
        self.keys.retain(|other| other.header != entry.header);
        self.keys.push(entry);
    }

    /// Lists the trace context, whose two headers are one thing.
    pub(crate) fn add_trace(&mut self) {
        self.trace = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.trace
    }

    /// `ctx` with what the carrier says of the listed keys.
    pub(crate) fn read(
        &self,
        ctx: &Context,
        from: &impl Carrier,
        mut ignored: impl FnMut(&HeaderName, Ignored),
    ) -> Context {
        let mut ctx = ctx.clone();
        if self.trace {
            match trace_of(from, &mut ignored) {
                Ok(Some(trace)) => ctx = ctx.with_value::<TraceContext>(trace),
                Ok(None) => {}
                Err(why) => ignored(&TRACEPARENT, why),
            }
        }
        for key in &self.keys {
            match key.read(&ctx, from, &mut ignored) {
                Ok(Some(with)) => ctx = with,
                Ok(None) => {}
                Err(why) => ignored(&key.header, why),
            }
        }
        ctx
    }

    /// Writes the listed keys that `ctx` has. A header that is there already
    /// was set on purpose, and stays.
    pub(crate) fn write(&self, ctx: &Context, into: &mut impl Carrier) {
        if self.trace
            && into.texts(&TRACEPARENT).next().is_none()
            && let Some(trace) = ctx.value::<TraceContext>()
        {
            into.set(&TRACEPARENT, trace.to_string());
            match trace.state() {
                "" => into.unset(&TRACESTATE),
                state => into.set(&TRACESTATE, state.to_owned()),
            }
        }
        for key in &self.keys {
            if into.texts(&key.header).next().is_some() {
                continue;
            }
            match (key.encode)(ctx) {
                Some(text) if text.len() <= key.max_bytes => into.set(&key.header, text),
                Some(_) => tracing::debug!(
                    header = %key.header,
                    "a key was not sent: it is longer than its limit"
                ),
                None => {}
            }
        }
    }
}

impl Entry {
    fn read(
        &self,
        ctx: &Context,
        from: &impl Carrier,
        mut ignored: impl FnMut(&HeaderName, Ignored),
    ) -> Result<Option<Context>, Ignored> {
        let text = if self.is_list {
            let Some((text, is_whole)) = list_of(from, &self.header, self.max_bytes) else {
                return Ok(None);
            };
            if !is_whole {
                ignored(&self.header, Ignored::TooLong);
            }
            text
        } else {
            match text_of(from, &self.header, self.max_bytes)? {
                Some(text) => text.into(),
                None => return Ok(None),
            }
        };
        let with = (self.decode)(ctx, &text);
        with.map(Some).ok_or(Ignored::Malformed)
    }
}

/// The trace context; without a `traceparent` a `tracestate` says nothing.
fn trace_of(
    from: &impl Carrier,
    mut ignored: impl FnMut(&HeaderName, Ignored),
) -> Result<Option<TraceContext>, Ignored> {
    let Some(parent) = text_of(from, &TRACEPARENT, MAX_TRACEPARENT)? else {
        return Ok(None);
    };
    let state = list_of(from, &TRACESTATE, MAX_TRACESTATE);
    let state = state.filter(|(_, is_whole)| {
        if !is_whole {
            ignored(&TRACESTATE, Ignored::TooLong);
        }
        *is_whole
    });
    let state = state.map_or_else(Default::default, |(text, _)| text);
    let trace = TraceContext::parse(parent, &state);
    trace.map(Some).ok_or(Ignored::Malformed)
}

impl fmt::Debug for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.trace.then_some(TRACEPARENT.as_str()))
            .entries(self.keys.iter().map(|key| key.header.as_str()))
            .finish()
    }
}
