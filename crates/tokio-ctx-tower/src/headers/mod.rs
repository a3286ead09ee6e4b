//! What is read from headers and written to them: deadlines and keys.

mod keys;
mod timeout;
mod w3c;

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName};

pub use self::keys::HeaderKey;
pub(crate) use self::keys::KeyList;
pub(crate) use self::timeout::{GRPC_TIMEOUT, grpc_value, millis_value, parse_chosen, parse_grpc};
pub use self::w3c::{Baggage, BaggageEntries, TraceContext, TraceParent};

/// Why a header was ignored. Never says what the header was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    Repeated,
    TooLong,
    NotText,
    Malformed,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ignored::Repeated => "it is there more than once",
            Ignored::TooLong => "it is too long",
            Ignored::NotText => "it is not text",
            Ignored::Malformed => "it is malformed",
        })
    }
}

/// The text of the one header of that name; `None` if there is none.
///
/// A header that came twice has no text: which of the two counts would depend on who reads.
/// Lists are the exception, whose parts may come in several headers.
pub(crate) fn text_of<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    max_bytes: usize,
    is_list: bool,
) -> Result<Option<Cow<'h, str>>, Ignored> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let text = |value: &'h http::HeaderValue| {
        if value.len() > max_bytes {
            return Err(Ignored::TooLong);
        }
        std::str::from_utf8(value.as_bytes()).map_err(|_| Ignored::NotText)
    };
    let mut whole = Cow::Borrowed(text(first)?);
    for value in values {
        if !is_list {
            return Err(Ignored::Repeated);
        }
        if whole.len() + 1 + value.len() > max_bytes {
            return Err(Ignored::TooLong);
        }
        let whole = whole.to_mut();
        whole.push(',');
        whole.push_str(text(value)?);
    }
    Ok(Some(whole))
}
