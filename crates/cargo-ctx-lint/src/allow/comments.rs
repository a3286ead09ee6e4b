//! Finding comments in a text, without parsing it: the parser drops them.

use std::ops::Range;

/// The line comments of a text that are not documentation, found by skipping over
/// everything that may contain slashes and is no comment.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = text[at..].find('\n').map_or(text.len(), |len| at + len);
                let doc = matches!(bytes.get(at + 2), Some(b'/' | b'!'));
                if !doc {
                    found.push(at..at + text[at..end].trim_end().len());
                }
                at = end;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = block_comment_end(bytes, at),
            b'"' => at = string_end(bytes, at),
            b'r' | b'b' | b'c' if !after_word(bytes, at) => at = prefixed_end(bytes, at),
            b'\'' => at = quote_end(text, at),
            _ => at += 1,
        }
    }
    found
}

fn after_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

/// Raw strings, byte strings and C strings; anything else is passed over by one byte.
fn prefixed_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < start + 2 && matches!(bytes.get(at), Some(b'r' | b'b' | b'c')) {
        at += 1;
    }
    let raw = bytes[at - 1] == b'r';
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return start + 1;
    }
    if !raw {
        return string_end(bytes, at);
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = at + hashes + 1;
    let end = bytes[body..]
        .windows(close.len())
        .position(|window| window == close);
    end.map_or(bytes.len(), |end| body + end + close.len())
}

/// A character literal, or the tick of a lifetime.
fn quote_end(text: &str, start: usize) -> usize {
    let mut chars = text[start + 1..].char_indices();
    match chars.next() {
        Some((_, '\\')) => {
            // Behind the escaped character, which may be the quote itself.
            let rest = start + 3;
            text.get(rest..)
                .and_then(|t| t.find('\''))
                .map_or(text.len(), |len| rest + len + 1)
        }
        Some((_, _)) => match chars.next() {
            Some((len, '\'')) => start + 1 + len + 1,
            _ => start + 1,
        },
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::comments;

    #[test]
    fn only_comments_are_comments() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = comments(text)
                .into_iter()
                .map(|range| &text[range])
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("let a = 1; // one\n// two", &["// one", "// two"]);
        check("/// doc\n//! doc\n/* // no */ x", &[]);
        check(r#"let s = "// no \" // no"; // yes"#, &["// yes"]);
        check("let s = r#\"\" // no\"#; // yes", &["// yes"]);
        check("let s = br##\"\"# // no\"##; // yes", &["// yes"]);
        check("let c = ('\"', '\\'', '/', 'é'); // yes", &["// yes"]);
        check("fn f<'a>(x: &'a str) {} // yes", &["// yes"]);
        check("let r#type = b'\\\\'; // yes", &["// yes"]);
        check("/* a /* b */ // no */ // yes", &["// yes"]);
    }
}
