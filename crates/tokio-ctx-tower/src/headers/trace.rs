//! The headers of W3C Trace Context: [`TraceContext`].

use std::fmt::{self, Write as _};
use std::sync::Arc;

use http::HeaderName;
use tokio_ctx_core::Key;

/// The header that says which trace a request belongs to.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the tracing systems on the way add to it.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `traceparent` that is read. That of version 00 has 55 bytes.
pub(crate) const MAX_TRACEPARENT: usize = 256;

/// The longest `tracestate` that is read: more than every vendor has to forward, 512, by far.
pub(crate) const MAX_TRACESTATE: usize = 8192;

/// Where a request stands in a distributed trace, as [W3C Trace Context] level 2 has it: a
/// `traceparent` with its `tracestate`. It is its own key in a context.
///
/// [`ContextLayer::trace_context`](crate::ContextLayer::trace_context) reads it from a request,
/// and [`PropagateLayer::trace_context`](crate::propagate::PropagateLayer::trace_context) sends it on as
/// it came, as the standard asks of a hop that records no span. A hop that records spans sends
/// a [`child`](Self::child), or leaves the headers to its tracer: a `traceparent` that is on an
/// outgoing request already is never replaced.
///
/// It is printed without its `tracestate`, which is the sender's text.
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context-2/
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::headers::TraceContext;
///
/// let trace = TraceContext::parse(
///     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
///     "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
/// )
/// .unwrap();
/// let ctx = Context::background().with_value::<TraceContext>(trace);
///
/// let sent = ctx.value::<TraceContext>().unwrap().child();
/// assert!(sent.to_string().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
/// assert_ne!(sent.parent_id(), ctx.value::<TraceContext>().unwrap().parent_id());
/// assert_eq!(sent.state(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    state: Option<State>,
}

/// A valid `tracestate`, its members separated by commas alone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State(Arc<str>);

impl Key for TraceContext {
    type Value = TraceContext;

    const NAME: &'static str = "traceparent";

    fn display(value: &TraceContext) -> Option<&dyn fmt::Display> {
        Some(value)
    }
}

/// The sender may have recorded its span.
const SAMPLED: u8 = 1;

/// The last seven bytes of the trace id are random.
const RANDOM: u8 = 2;

impl TraceContext {
    /// Reads the two headers; `None` if the first is malformed.
    ///
    /// Version 00 is read to the letter; of a later version, what version 00 knows is read. A
    /// `tracestate` with a malformed member, or with more than 32, is left out as a whole, as
    /// the standard asks; the `traceparent` stands without it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// assert_eq!(TraceContext::parse(parent, "a=1 , b=2").unwrap().state(), "a=1,b=2");
    /// assert_eq!(TraceContext::parse(parent, "no member").unwrap().state(), "");
    /// assert_eq!(TraceContext::parse("00-0-0-0", "a=1"), None);
    /// ```
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: &str) -> Option<TraceContext> {
        let mut read = TraceContext::from_traceparent(traceparent)?;
        read.state = State::parse(tracestate);
        Some(read)
    }

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
        let flags = if sampled { SAMPLED } else { 0 };
        TraceContext {
            trace_id,
            parent_id,
            flags,
            state: None,
        }
        .valid()
    }

    /// The start of a new trace, with random ids.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let root = TraceContext::random(false);
    /// assert_ne!(root.trace_id(), TraceContext::random(false).trace_id());
    /// assert!(root.to_string().ends_with("-02"), "level 2 has a flag for random ids");
    /// ```
    #[must_use]
    pub fn random(sampled: bool) -> TraceContext {
        let flags = if sampled { SAMPLED | RANDOM } else { RANDOM };
        TraceContext {
            trace_id: fastrand::u128(1..).to_be_bytes(),
            parent_id: random_span(),
            flags,
            state: None,
        }
    }

    /// The same trace one hop on: a random parent id, all else as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// let root = TraceContext::random(true);
    /// let child = root.child();
    /// assert_eq!(child.trace_id(), root.trace_id());
    /// assert_ne!(child.parent_id(), root.parent_id());
    /// ```
    #[must_use]
    pub fn child(&self) -> TraceContext {
        TraceContext {
            parent_id: random_span(),
            ..self.clone()
        }
    }

    /// The same trace one hop on, with the id of a span; `None` if that is all zeros.
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
        TraceContext {
            parent_id,
            ..self.clone()
        }
        .valid()
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
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// assert!(TraceContext::random(true).is_sampled());
    /// assert!(!TraceContext::random(false).is_sampled());
    /// ```
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The `tracestate`; empty if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::headers::TraceContext;
    ///
    /// assert_eq!(TraceContext::random(true).state(), "");
    /// ```
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.as_ref().map_or("", |state| &state.0)
    }

    fn from_traceparent(text: &str) -> Option<TraceContext> {
        let (head, rest) = trim(text).split_at_checked(55)?;
        let [version, trace_id, parent_id, flags] =
            <[&str; 4]>::try_from(head.split('-').collect::<Vec<_>>()).ok()?;
        let ([version], [flags]) = (hex(version)?, hex(flags)?);
        let is_whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let read = TraceContext {
            trace_id: hex(trace_id)?,
            parent_id: hex(parent_id)?,
            // The standard asks for zeros in place of the flags that it does not define.
            flags: flags & (SAMPLED | RANDOM),
            state: None,
        };
        if is_whole { read.valid() } else { None }
    }

    fn valid(self) -> Option<TraceContext> {
        (self.trace_id != [0; 16] && self.parent_id != [0; 8]).then_some(self)
    }
}

/// As the header `traceparent` carries it.
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

impl State {
    const MAX_MEMBERS: usize = 32;

    fn parse(text: &str) -> Option<State> {
        let members = text
            .split(',')
            .map(trim)
            .filter(|member| !member.is_empty());
        let mut whole = String::with_capacity(text.len());
        for (number, member) in (1..).zip(members) {
            let (key, value) = member.split_once('=')?;
            if number > State::MAX_MEMBERS || !is_state_key(key) || !is_state_value(value) {
                return None;
            }
            if number > 1 {
                whole.push(',');
            }
            whole.push_str(member);
        }
        (!whole.is_empty()).then(|| State(whole.into()))
    }
}

/// That there is one, never what it says.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

fn is_state_key(key: &str) -> bool {
    let starts = key
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_key_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    starts && key.len() <= 256 && key.bytes().all(is_key_byte)
}

/// Printable, without `,` and `=`. Its blanks at the end are gone by now.
fn is_state_value(value: &str) -> bool {
    let is_value_byte = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(is_value_byte)
}

/// Without the optional white space of HTTP.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn random_span() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_are_random_and_say_so() {
        let (one, two) = (TraceContext::random(true), TraceContext::random(true));
        assert_ne!(one.trace_id(), two.trace_id());
        assert_ne!(one.parent_id(), one.child().parent_id());
        assert!(one.to_string().ends_with("-03"), "{one}");
        assert_eq!(TraceContext::parse(&one.to_string(), ""), Some(one));
    }

    #[test]
    fn what_is_printed_leaves_the_state_out() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceContext::parse(parent, "vendor=secret").unwrap();
        assert_eq!(trace.to_string(), parent);
        assert!(!format!("{trace:?}").contains("secret"), "{trace:?}");
    }
}
