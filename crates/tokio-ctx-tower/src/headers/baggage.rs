//! The header of W3C Baggage: [`Baggage`].

use std::fmt::{self, Write as _};

use http::HeaderName;
use tokio_ctx_core::Key;

use super::HeaderKey;
use super::trace::trim;

/// What the hops of a request tell each other, as [W3C Baggage] has it: names and values. It
/// is its own key in a context.
///
/// A malformed member is left out, and the others stay. Never printed: what it says is the
/// sender's.
///
/// [W3C Baggage]: https://www.w3.org/TR/baggage/
///
/// # Examples
///
/// ```
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::headers::{Baggage, HeaderKey};
///
/// let baggage = Baggage::decode("plan=gold, city=K%C3%B6ln;source=geoip, broken").unwrap();
/// let ctx = Context::background().with_value::<Baggage>(baggage);
/// assert_eq!(ctx.value::<Baggage>().unwrap().get("city"), Some("Köln"));
///
/// let baggage = Baggage::default().with("plan", "gold").unwrap();
/// assert_eq!(baggage.iter().collect::<Vec<_>>(), [("plan", "gold")]);
/// assert!(baggage.with("no spaces", "in names").is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage(Vec<Member>);

#[derive(Clone, PartialEq, Eq)]
struct Member {
    name: String,
    value: String,
    /// As it came: the properties mean something only to the sender that made them.
    properties: String,
}

impl Key for Baggage {
    type Value = Baggage;

    const NAME: &'static str = "baggage";
}

impl HeaderKey for Baggage {
    const HEADER: HeaderName = HeaderName::from_static("baggage");
    const MAX_BYTES: usize = 8192;
    const IS_LIST: bool = true;

    /// The first [`MAX`](Baggage::MAX) well-formed members; `None` if there is none.
    fn decode(text: &str) -> Option<Baggage> {
        let members = text.split(',').filter_map(Member::parse);
        let members: Vec<_> = members.take(Baggage::MAX).collect();
        (!members.is_empty()).then_some(Baggage(members))
    }

    fn encode(value: &Baggage) -> Option<String> {
        let mut text = String::new();
        for member in &value.0 {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&member.name);
            text.push('=');
            for byte in member.value.bytes() {
                match is_baggage_octet(byte) && byte != b'%' {
                    true => text.push(char::from(byte)),
                    false => write!(text, "%{byte:02X}").ok()?,
                }
            }
            text.push_str(&member.properties);
        }
        (!text.is_empty()).then_some(text)
    }
}

impl Baggage {
    /// As many members as every party to the standard has to forward.
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
            .map(|member| (member.name.as_str(), member.value.as_str()))
    }

    /// The same with one member more, or with its value in place of the old one.
    ///
    /// `None` if the name is not a token of HTTP, or if there are [`MAX`](Self::MAX) members.
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
    pub fn with(&self, name: &str, value: &str) -> Option<Baggage> {
        let mut members = self.0.clone();
        members.retain(|member| member.name != name);
        members.push(Member {
            name: name.to_owned(),
            value: value.to_owned(),
            properties: String::new(),
        });
        (is_token(name) && members.len() <= Self::MAX).then_some(Baggage(members))
    }
}

impl Member {
    fn parse(text: &str) -> Option<Member> {
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
        let member = Member {
            name: name.to_owned(),
            value: percent_decoded(value)?,
            properties,
        };
        well_formed.then_some(member)
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
impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Baggage({} members)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baggage_goes_through_with_its_properties() {
        let text = "plan=gold,city=K%C3%B6ln;source=geoip;sure,empty=";
        let read = Baggage::decode(&text.replace(',', " ,\t")).unwrap();
        assert_eq!(read.get("city"), Some("Köln"));
        assert_eq!(read.get("empty"), Some(""));
        assert_eq!(Baggage::encode(&read).unwrap(), text);
        assert_eq!(format!("{read:?}"), "Baggage(3 members)");
    }

    #[test]
    fn a_malformed_member_is_left_out_and_the_others_stay() {
        for bad in [
            "",
            "plan",
            "=gold",
            "a b=c",
            "a=b c",
            "a=\"b\"",
            "a=b%zz",
            "a=b%4",
            "a=b;",
            "a=\u{fffd}",
        ] {
            assert!(Baggage::decode(bad).is_none(), "{bad:?}");
            for text in [
                format!("plan=gold,{bad}"),
                format!("{bad},plan=gold"),
                format!("plan=gold,{bad},city=Paris"),
            ] {
                let read = Baggage::decode(&text).unwrap();
                assert_eq!(read.get("plan"), Some("gold"), "{text:?}");
                let good = text.matches("plan=gold").count() + text.matches("city=Paris").count();
                assert_eq!(read.iter().count(), good, "{text:?}");
            }
        }
    }

    #[test]
    fn no_more_members_are_kept_than_anybody_has_to_forward() {
        let text: Vec<String> = (0..70).map(|number| format!("m{number}=1")).collect();
        let read = Baggage::decode(&text.join(",")).unwrap();
        assert_eq!(read.iter().count(), Baggage::MAX);
        assert_eq!((read.get("m63"), read.get("m64")), (Some("1"), None));
        assert!(read.with("one-more", "").is_none());
    }
}
