//! What must hold for any bytes that come from outside.
//!
//! The fuzz targets in `tests/fuzz` call these with bytes of a fuzzer's choice; the tests here with
//! the inputs of its corpus.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_ctx::Context;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::headers::Baggage;
use tokio_ctx::tower::propagate::PropagateLayer;

/// What a server allows at most.
const MAX: Duration = Duration::from_secs(10);

/// Headers, one `name: value` on a line: a client can only shorten, nothing it sends is printed
/// as more than one line, and what is sent on is read as it was meant.
pub fn headers(bytes: &[u8]) {
    let mut came = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            came.append(name, value);
        }
    }
    let layer = ContextLayer::new(&Context::background())
        .trace_context()
        .key::<Baggage>()
        .max_timeout(MAX);
    let ctx = layer.extract(&came);
    assert!(ctx.remaining().is_some_and(|left| left <= MAX));
    for (name, value) in ctx.printable_values() {
        assert_is_one_line(&format!("{name}={value}"));
    }
    assert_is_one_line(&format!("{:?}", *ctx));

    let left = ctx.remaining();
    let mut sent = HeaderMap::new();
    let client = PropagateLayer::new().trace_context().key::<Baggage>();
    if client.inject(&ctx, &mut sent).is_ok() {
        let next = ContextLayer::new(&Context::background())
            .trace_context()
            .key::<Baggage>();
        let read = next.extract(&sent);
        assert!(read.remaining() <= left, "{sent:?}");
        assert_eq!(next.ignored_headers(), 0, "{sent:?}");
    }
}

/// The text of a cause: whatever it is, the error and the context are printed as one line each.
pub fn causes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let ctx = Context::background().with_name(text.clone()).with_cancel();
    ctx.cancel_with(text);
    let error = ctx.err().expect("it was cancelled");
    assert_is_one_line(&error.to_string());
    assert_is_one_line(&format!("{error:?}"));
    assert_is_one_line(&format!("{:?}", *ctx));
}

fn assert_is_one_line(text: &str) {
    // What ends a line, moves the cursor, or turns the direction of what follows.
    let forges = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(forges), "{text:?}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let listing = fs::read_dir(directory).expect("the corpus is there");
        let inputs =
            listing.map(|entry| fs::read(entry.expect("listed").path()).expect("readable"));
        let inputs: Vec<Vec<u8>> = inputs.collect();
        assert!(inputs.len() >= 8, "{} inputs", inputs.len());
        inputs
    }

    #[test]
    fn every_known_set_of_headers_is_read_safely() {
        corpus("headers").iter().for_each(|input| headers(input));
    }

    #[test]
    fn every_known_cause_is_one_line() {
        corpus("causes").iter().for_each(|input| causes(input));
    }

    #[test]
    #[should_panic(expected = "\\n")]
    fn a_forged_line_is_noticed() {
        assert_is_one_line("first\nsecond");
    }
}
