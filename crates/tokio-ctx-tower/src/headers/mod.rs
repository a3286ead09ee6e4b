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

/// Up to so many headers are looked through faster than the name of one is hashed.
const FEW: usize = 4;

/// Whether there is a header of that name, which most requests do not have.
#[inline]
pub(crate) fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    if headers.keys_len() <= FEW {
        headers.keys().any(|key| key == name)
    } else {
        headers.contains_key(name)
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_is_found_among_few_and_among_many() {
        for others in 0..2 * FEW {
            let mut headers = HeaderMap::new();
            for other in 0..others {
                let name = HeaderName::try_from(format!("x-other-{other}")).unwrap();
                headers.insert(name, HeaderValue::from_static("1S"));
            }
            assert!(!has(&headers, &GRPC_TIMEOUT), "{others} others");
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
            assert!(has(&headers, &GRPC_TIMEOUT), "{others} others");
        }
    }
}
