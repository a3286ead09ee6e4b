//! The headers of W3C Trace Context and W3C Baggage.

use std::fmt::{self, Write as _};

use http::{HeaderName, HeaderValue};
use tokio_ctx_core::Key;

use super::HeaderKey;

/// The key of the W3C header `traceparent`: which trace a request belongs to.
///
/// The value is forwarded as it came, as the standard asks of a hop that records no span. A
/// hop that records spans puts [`TraceContext::with_parent_id`] in its place, or leaves the
/// header to its tracer: a header that is on an outgoing request already is never replaced.
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::headers::{HeaderKey, TraceParent};
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let ctx = Context::background().with_value::<TraceParent>(TraceParent::decode(text).unwrap());
/// assert_eq!(format!("{ctx:?}"), format!("background > value(traceparent={text})"));
/// ```
#[derive(Debug)]
pub enum TraceParent {}

/// Where a request stands in a distributed trace: the value of [`TraceParent`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::headers::TraceContext;
///
/// let root = TraceContext::new([7; 16], [1; 8], true).unwrap();
/// let child = root.with_parent_id([2; 8]).unwrap();
/// assert_eq!(child.to_string(), format!("00-{}-{}-01", "07".repeat(16), "02".repeat(8)));
/// assert_eq!(child.trace_id(), root.trace_id());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

/// The key of the W3C header `baggage`: what the hops of a request tell each other.
///
/// Never printed: what it says is the sender's.
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::headers::{Baggage, HeaderKey};
///
/// let baggage = Baggage::decode("plan=gold, city=K%C3%B6ln;source=geoip").unwrap();
/// assert_eq!(baggage.get("city"), Some("Köln"));
/// ```
#[derive(Debug)]
pub enum Baggage {}

/// Names and values: the value of [`Baggage`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::tower::headers::BaggageEntries;
///
/// let baggage = BaggageEntries::default().with("plan", "gold").unwrap();
/// assert_eq!(baggage.iter().collect::<Vec<_>>(), [("plan", "gold")]);
/// assert!(baggage.with("no spaces", "in names").is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BaggageEntries(Vec<Entry>);

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    value: String,
    /// As it came: the properties have no meaning but to who made them.
    properties: String,
}

impl Key for TraceParent {
    type Value = TraceContext;

    const NAME: &'static str = "traceparent";

    fn display(value: &TraceContext) -> Option<&dyn fmt::Display> {
        Some(value)
    }
}

impl HeaderKey for TraceParent {
    const HEADER: HeaderName = HeaderName::from_static("traceparent");
    const MAX_BYTES: usize = 256;

    /// Takes version 00 to the letter; of a later version it takes what version 00 knows.
    fn decode(text: &str) -> Option<TraceContext> {
        let (head, rest) = text.split_at_checked(55)?;
        let [version, trace_id, parent_id, flags] =
            <[&str; 4]>::try_from(head.split('-').collect::<Vec<_>>()).ok()?;
        let ([version], [flags]) = (hex(version)?, hex(flags)?);
        let whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let ids = TraceContext {
            trace_id: hex(trace_id)?,
            parent_id: hex(parent_id)?,
            flags: if version == 0 { flags } else { flags & 1 },
        };
        (whole && ids.is_valid()).then_some(ids)
    }

    fn encode(value: &TraceContext) -> Option<HeaderValue> {
        HeaderValue::try_from(value.to_string()).ok()
    }
}

impl TraceContext {
    /// A place in a trace; `None` if one of the ids is all zeros, which the standard forbids.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// assert!(TraceContext::new([7; 16], [1; 8], true).unwrap().is_sampled());
    /// assert_eq!(TraceContext::new([0; 16], [1; 8], true), None);
    /// ```
    #[must_use]
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], sampled: bool) -> Option<TraceContext> {
        let ids = TraceContext {
            trace_id,
            parent_id,
            flags: u8::from(sampled),
        };
        ids.is_valid().then_some(ids)
    }

    /// The id of the trace.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let root = TraceContext::new([7; 16], [1; 8], true).unwrap();
    /// assert_eq!(root.trace_id(), [7; 16]);
    /// ```
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the span that sent the request.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let root = TraceContext::new([7; 16], [1; 8], true).unwrap();
    /// assert_eq!(root.parent_id(), [1; 8]);
    /// ```
    #[must_use]
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// Whether the sender may have recorded its span.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::{HeaderKey, TraceParent};
    ///
    /// let read = TraceParent::decode("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    /// assert!(!read.unwrap().is_sampled());
    /// ```
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The same trace, one hop on; `None` if the id is all zeros.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let root = TraceContext::new([7; 16], [1; 8], true).unwrap();
    /// let child = root.with_parent_id([2; 8]).unwrap();
    /// assert_eq!((child.trace_id(), child.parent_id()), ([7; 16], [2; 8]));
    /// assert_eq!(root.with_parent_id([0; 8]), None);
    /// ```
    #[must_use]
    pub fn with_parent_id(&self, parent_id: [u8; 8]) -> Option<TraceContext> {
        let next = TraceContext { parent_id, ..*self };
        next.is_valid().then_some(next)
    }

    fn is_valid(&self) -> bool {
        self.trace_id != [0; 16] && self.parent_id != [0; 8]
    }
}

/// As the header carries it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_char('-')?;
        self.parent_id
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

/// Lower case only, as the standard asks.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl Key for Baggage {
    type Value = BaggageEntries;

    const NAME: &'static str = "baggage";
}

impl HeaderKey for Baggage {
    const HEADER: HeaderName = HeaderName::from_static("baggage");
    const MAX_BYTES: usize = 8192;
    const IS_LIST: bool = true;

    /// One malformed entry refuses them all: a half of what was said may say something else.
    fn decode(text: &str) -> Option<BaggageEntries> {
        let entries: Option<Vec<_>> = text.split(',').map(Entry::parse).collect();
        let entries = entries.filter(|entries| entries.len() <= BaggageEntries::MAX)?;
        Some(BaggageEntries(entries))
    }

    fn encode(value: &BaggageEntries) -> Option<HeaderValue> {
        let mut text = String::new();
        for entry in &value.0 {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&entry.name);
            text.push('=');
            for byte in entry.value.bytes() {
                match is_baggage_octet(byte) && byte != b'%' {
                    true => text.push(char::from(byte)),
                    false => write!(text, "%{byte:02X}").ok()?,
                }
            }
            text.push_str(&entry.properties);
        }
        (!text.is_empty()).then(|| HeaderValue::try_from(text).ok())?
    }
}

impl BaggageEntries {
    /// As many entries as every party to the standard has to forward.
    pub const MAX: usize = 64;

    /// The value of that name; the first one if there are several.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::{Baggage, HeaderKey};
    ///
    /// let baggage = Baggage::decode("plan=gold,plan=lead").unwrap();
    /// assert_eq!(baggage.get("plan"), Some("gold"));
    /// assert_eq!(baggage.get("city"), None);
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(its, _)| *its == name)
            .map(|(_, value)| value)
    }

    /// All names with their values.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::{Baggage, HeaderKey};
    ///
    /// let baggage = Baggage::decode("plan=gold,city=K%C3%B6ln").unwrap();
    /// assert_eq!(baggage.iter().collect::<Vec<_>>(), [("plan", "gold"), ("city", "Köln")]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|entry| (entry.name.as_str(), entry.value.as_str()))
    }

    /// The same with one entry more, or with its value in place of the old one.
    ///
    /// `None` if the name is not a token of HTTP, or if there are [`MAX`](Self::MAX) entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::{Baggage, HeaderKey};
    ///
    /// let baggage = Baggage::decode("plan=lead").unwrap();
    /// let baggage = baggage.with("plan", "gold").unwrap();
    /// assert_eq!(Baggage::encode(&baggage).unwrap(), "plan=gold");
    /// assert!(baggage.with("no token", "").is_none());
    /// ```
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Option<BaggageEntries> {
        let mut entries = self.0.clone();
        entries.retain(|entry| entry.name != name);
        entries.push(Entry {
            name: name.to_owned(),
            value: value.to_owned(),
            properties: String::new(),
        });
        (is_token(name) && entries.len() <= Self::MAX).then_some(BaggageEntries(entries))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Entry> {
        let (pair, properties) = match text.split_once(';') {
            Some((pair, properties)) => (pair, Some(properties)),
            None => (text, None),
        };
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (trim(name), trim(value));
        let well_formed = is_token(name) && value.bytes().all(is_baggage_octet);
        let properties = match properties {
            None => String::new(),
            Some(text) => text.split(';').map(property).collect::<Option<_>>()?,
        };
        let entry = Entry {
            name: name.to_owned(),
            value: percent_decoded(value)?,
            properties,
        };
        well_formed.then_some(entry)
    }
}

/// `name` or `name=value`, with its semicolon and without the blanks around.
fn property(text: &str) -> Option<String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(text), None),
    };
    let well_formed =
        is_token(name) && value.is_none_or(|value| value.bytes().all(is_baggage_octet));
    let text = match value {
        Some(value) => format!(";{name}={value}"),
        None => format!(";{name}"),
    };
    well_formed.then_some(text)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_baggage_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Refuses a `%` that no two hex digits follow. Bytes that are no UTF-8 become U+FFFD, as the
/// standard asks.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// How many there are, never what they say.
impl fmt::Debug for BaggageEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaggageEntries({} entries)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_goes_through_unchanged() {
        let read = TraceParent::decode(GOOD).unwrap();
        assert!(read.is_sampled());
        assert_eq!(TraceParent::encode(&read).unwrap(), GOOD);
    }

    #[test]
    fn malformed_traceparents_are_refused() {
        let zeros = "0".repeat(32);
        for text in [
            "".to_owned(),
            GOOD.to_uppercase(),
            GOOD[..54].to_owned(),
            format!("{GOOD} "),
            format!("{GOOD}-00"),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            GOOD.replace("00f067aa0ba902b7", &zeros[..16]),
            GOOD.replace('-', "_"),
            GOOD.replace("-01", "-0g"),
            GOOD.replace("4bf92f", "4bf9é"),
        ] {
            assert_eq!(TraceParent::decode(&text), None, "{text:?}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!(
            "{}-more",
            GOOD.replacen("00-", "cc-", 1).replace("-01", "-ff")
        );
        assert_eq!(TraceParent::decode(&later).unwrap().to_string(), GOOD);
        assert_eq!(TraceParent::decode(&later.replace("-more", "more")), None);
    }

    #[test]
    fn baggage_goes_through_with_its_properties() {
        let text = "plan=gold,city=K%C3%B6ln;source=geoip;sure,empty=";
        let read = Baggage::decode(&text.replace(',', " ,\t")).unwrap();
        assert_eq!(read.get("city"), Some("Köln"));
        assert_eq!(read.get("empty"), Some(""));
        assert_eq!(Baggage::encode(&read).unwrap(), text);
        assert_eq!(format!("{read:?}"), "BaggageEntries(3 entries)");
    }

    #[test]
    fn malformed_baggage_is_refused() {
        for text in [
            "", "plan", "=gold", "a b=c", "a=b,", "a=b c", "a=\"b\"", "a=b%zz", "a=b%4", "a=b;",
        ] {
            assert!(Baggage::decode(text).is_none(), "{text:?}");
        }
        assert!(Baggage::decode(&vec!["a=b"; 65].join(",")).is_none());
    }
}
