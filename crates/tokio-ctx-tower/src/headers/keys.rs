//! Keys of contexts that travel in headers.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_ctx_core::{Context, Key};

use super::{Ignored, text_of};

/// A [`Key`] whose value travels in a header.
///
/// Implementing it lets nothing in: a server reads only the keys that are listed with
/// [`ContextLayer::key`](crate::ContextLayer::key), and a client sends only those listed with
/// [`PropagateLayer::key`](crate::propagate::PropagateLayer::key).
///
/// Whoever can send a request can send any header. A key that decides something, a user or a
/// tenant, belongs on a list only where nobody but your own edge can reach the server, or if
/// its `decode` verifies a signature.
///
/// # Examples
///
/// ```
/// use http::{HeaderName, HeaderValue};
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
///     fn encode(shop: &u32) -> Option<HeaderValue> {
///         Some(HeaderValue::from(*shop))
///     }
/// }
///
/// assert_eq!(Shop::decode("17"), Some(17));
/// assert_eq!(Shop::encode(&17).unwrap(), "17");
/// ```
pub trait HeaderKey: Key {
    /// The name of the header.
    const HEADER: HeaderName;

    /// The longest header that is read or sent; a longer one is ignored, and counted.
    const MAX_BYTES: usize = 1024;

    /// Whether the header is a list, whose parts may come in several headers. They are joined
    /// with commas before [`decode`](HeaderKey::decode) sees them. Any other header that comes
    /// twice is ignored, and counted.
    const IS_LIST: bool = false;

    /// Reads the header. `None` if it is malformed, which never fails the request: the header
    /// is ignored, and counted.
    fn decode(text: &str) -> Option<Self::Value>;

    /// Writes the header. `None` to send none.
    fn encode(value: &Self::Value) -> Option<HeaderValue>;
}

/// The keys that somebody listed.
#[derive(Clone, Default)]
pub(crate) struct KeyList(Vec<Entry>);

/// A key without its type.
#[derive(Clone)]
struct Entry {
    header: HeaderName,
    max_bytes: usize,
    is_list: bool,
    decode: fn(&Context, &str) -> Option<Context>,
    encode: fn(&Context) -> Option<HeaderValue>,
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
        self.0.retain(|other| other.header != entry.header);
        self.0.push(entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `ctx` with what the headers say of the listed keys.
    pub(crate) fn read(
        &self,
        ctx: &Context,
        headers: &HeaderMap,
        mut ignored: impl FnMut(&HeaderName, Ignored),
    ) -> Context {
        let mut ctx = ctx.clone();
        for key in &self.0 {
            let read = match text_of(headers, &key.header, key.max_bytes, key.is_list) {
                Ok(None) => continue,
                Ok(Some(text)) => (key.decode)(&ctx, &text).ok_or(Ignored::Malformed),
                Err(why) => Err(why),
            };
            match read {
                Ok(with) => ctx = with,
                Err(why) => ignored(&key.header, why),
            }
        }
        ctx
    }

    /// Writes the listed keys that `ctx` has. A header that is there already was set by
    /// somebody who knew better.
    pub(crate) fn write(&self, ctx: &Context, headers: &mut HeaderMap) {
        for key in &self.0 {
            if headers.contains_key(&key.header) {
                continue;
            }
            match (key.encode)(ctx) {
                Some(value) if value.len() <= key.max_bytes => {
                    headers.insert(&key.header, value);
                }
                Some(_) => tracing::debug!(
                    header = %key.header,
                    "a key was not sent: it is longer than its limit"
                ),
                None => {}
            }
        }
    }
}

impl fmt::Debug for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| key.header.as_str()))
            .finish()
    }
}
