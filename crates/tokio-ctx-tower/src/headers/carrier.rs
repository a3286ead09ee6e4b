//! Maps of strings that a context travels in: [`Carrier`].

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Ignored;

/// A map of strings that a deadline and keys travel in: the headers of a request or of a
/// message, the metadata of a job.
///
/// [`PropagateLayer::inject`](crate::propagate::PropagateLayer::inject) writes into it, and
/// [`ContextLayer::extract`](crate::ContextLayer::extract) reads from it. The layers
/// themselves do that with the [`HeaderMap`] of a request, which is one case of it.
///
/// Names are in lower case. A map whose names are not compares them without regard to case, or
/// what another system wrote into it is not found.
///
/// # Examples
///
/// The fields of an entry in a stream of Redis:
///
/// ```
/// use std::time::Duration;
/// use http::HeaderName;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::ContextLayer;
/// use tokio_ctx::tower::headers::Carrier;
/// use tokio_ctx::tower::propagate::PropagateLayer;
///
/// #[derive(Default)]
/// struct Fields(Vec<(String, String)>);
///
/// impl Carrier for Fields {
///     fn texts<'c>(&'c self, name: &HeaderName) -> impl Iterator<Item = &'c [u8]> {
///         let fields = self.0.iter().filter(|(its, _)| its.eq_ignore_ascii_case(name.as_str()));
///         fields.map(|(_, text)| text.as_bytes())
///     }
///
///     fn set(&mut self, name: &HeaderName, text: String) {
///         self.unset(name);
///         self.0.push((name.to_string(), text));
///     }
///
///     fn unset(&mut self, name: &HeaderName) {
///         self.0.retain(|(its, _)| !its.eq_ignore_ascii_case(name.as_str()));
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let expiry = HeaderName::from_static("ce-expirytime");
/// let producer = PropagateLayer::new().without_grpc_timeout().deadline_header(expiry.clone());
/// let mut fields = Fields::default();
/// producer.inject(&Context::background().with_timeout(Duration::from_secs(5)), &mut fields)?;
///
/// let worker = Context::background().with_cancel();
/// let consumer = ContextLayer::new(&worker).without_grpc_timeout().deadline_header(expiry);
/// let ctx = consumer.extract(&fields);
/// assert!(ctx.remaining().unwrap() <= Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
pub trait Carrier {
    /// The texts under that name, in the order in which they came: most maps have one at most.
    fn texts<'c>(&'c self, name: &HeaderName) -> impl Iterator<Item = &'c [u8]>;

    /// Puts a text under that name, in place of those that are there. What the map cannot hold
    /// is left out.
    fn set(&mut self, name: &HeaderName, text: String);

    /// Removes what is under that name.
    fn unset(&mut self, name: &HeaderName);
}

/// Up to so many headers are looked through faster than the name of one is hashed.
const FEW: usize = 4;

impl Carrier for HeaderMap {
    #[inline]
    fn texts<'c>(&'c self, name: &HeaderName) -> impl Iterator<Item = &'c [u8]> {
        // Most requests have none of the headers that are looked for.
        let is_there = self.keys_len() > FEW || self.keys().any(|key| key == name);
        is_there
            .then(|| self.get_all(name).iter().map(HeaderValue::as_bytes))
            .into_iter()
            .flatten()
    }

    fn set(&mut self, name: &HeaderName, text: String) {
        if let Ok(value) = HeaderValue::try_from(text) {
            self.insert(name, value);
        } else {
            tracing::debug!(header = %name, "a key was not sent: no header can hold it");
        }
    }

    fn unset(&mut self, name: &HeaderName) {
        self.remove(name);
    }
}

impl<S: BuildHasher> Carrier for HashMap<String, String, S> {
    fn texts<'c>(&'c self, name: &HeaderName) -> impl Iterator<Item = &'c [u8]> {
        self.get(name.as_str()).map(String::as_bytes).into_iter()
    }

    fn set(&mut self, name: &HeaderName, text: String) {
        self.insert(name.to_string(), text);
    }

    fn unset(&mut self, name: &HeaderName) {
        self.remove(name.as_str());
    }
}

impl Carrier for BTreeMap<String, String> {
    fn texts<'c>(&'c self, name: &HeaderName) -> impl Iterator<Item = &'c [u8]> {
        self.get(name.as_str()).map(String::as_bytes).into_iter()
    }

    fn set(&mut self, name: &HeaderName, text: String) {
        self.insert(name.to_string(), text);
    }

    fn unset(&mut self, name: &HeaderName) {
        self.remove(name.as_str());
    }
}

/// The text of the one entry of that name; `None` if there is none.
///
/// An entry that came twice has no text: readers would differ in which of the two counts.
pub(crate) fn text_of<'c>(
    carrier: &'c impl Carrier,
    name: &HeaderName,
    max_bytes: usize,
) -> Result<Option<&'c str>, Ignored> {
    let mut texts = carrier.texts(name);
    let Some(text) = texts.next() else {
        return Ok(None);
    };
    if texts.next().is_some() {
        return Err(Ignored::Repeated);
    }
    if text.len() > max_bytes {
        return Err(Ignored::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| Ignored::NotText)?;
    Ok(Some(text))
}

/// The text of a list, whose members are separated by commas and may come in several entries.
///
/// It is for the reader of the list to refuse a member: one that is not text has U+FFFD in it.
/// Members that would make the whole too long are left out, and the second part says `false`.
pub(crate) fn list_of<'c>(
    carrier: &'c impl Carrier,
    name: &HeaderName,
    max_bytes: usize,
) -> Option<(Cow<'c, str>, bool)> {
    let mut texts = carrier.texts(name);
    let mut whole = Cow::Borrowed(texts.next()?);
    for text in texts {
        let whole = whole.to_mut();
        whole.push(b',');
        whole.extend_from_slice(text);
        if whole.len() > max_bytes {
            break;
        }
    }
    let is_whole = whole.len() <= max_bytes;
    if !is_whole {
        // A comma right behind the limit ends a member that fits.
        let end = whole[..=max_bytes].iter().rposition(|byte| *byte == b',');
        whole.to_mut().truncate(end.unwrap_or(0));
    }
    let text = match whole {
        Cow::Borrowed(whole) => String::from_utf8_lossy(whole),
        Cow::Owned(whole) => Cow::Owned(String::from_utf8_lossy(&whole).into_owned()),
    };
    Some((text, is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-list");

    #[test]
    fn a_header_is_found_among_few_and_among_many() {
        for others in 0..2 * FEW {
            let mut headers = HeaderMap::new();
            for other in 0..others {
                let name = HeaderName::try_from(format!("x-other-{other}")).unwrap();
                headers.insert(name, HeaderValue::from_static("1S"));
            }
            assert_eq!(headers.texts(&NAME).count(), 0, "{others} others");
            headers.insert(NAME, HeaderValue::from_static("1S"));
            assert_eq!(headers.texts(&NAME).count(), 1, "{others} others");
        }
    }

    #[test]
    fn a_list_is_read_from_several_entries_up_to_its_limit() {
        let mut headers = HeaderMap::new();
        assert_eq!(list_of(&headers, &NAME, 10), None);
        for text in ["a=1", "b=2,c=3", "d=4"] {
            headers.append(NAME, HeaderValue::from_static(text));
        }
        for (max_bytes, read) in [
            (100, "a=1,b=2,c=3,d=4"),
            (15, "a=1,b=2,c=3,d=4"),
            (14, "a=1,b=2,c=3"),
            (11, "a=1,b=2,c=3"),
            (10, "a=1,b=2"),
            (2, ""),
        ] {
            let (text, is_whole) = list_of(&headers, &NAME, max_bytes).unwrap();
            assert_eq!((&*text, is_whole), (read, max_bytes >= 15), "{max_bytes}");
        }
    }

    #[test]
    fn what_is_no_text_spoils_its_own_member_only() {
        let mut headers = HeaderMap::new();
        headers.append(NAME, HeaderValue::from_bytes(b"a=\xff,b=2").unwrap());
        assert_eq!(list_of(&headers, &NAME, 100).unwrap().0, "a=\u{fffd},b=2");
        assert_eq!(text_of(&headers, &NAME, 100), Err(Ignored::NotText));
    }

    #[test]
    fn a_map_of_strings_is_a_carrier() {
        fn check(mut map: impl Carrier) {
            map.set(&NAME, "one".into());
            map.set(&NAME, "two".into());
            assert_eq!(text_of(&map, &NAME, 10), Ok(Some("two")));
            assert_eq!(text_of(&map, &NAME, 2), Err(Ignored::TooLong));
            map.unset(&NAME);
            assert_eq!(text_of(&map, &NAME, 10), Ok(None));
        }
        check(HeaderMap::new());
        check(HashMap::<String, String>::new());
        check(BTreeMap::new());
    }
}
