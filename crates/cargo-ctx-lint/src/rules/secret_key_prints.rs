//! Secrets that a log would show.

use proc_macro2::{Ident, Span};
use syn::Type;

use crate::cx::{Cx, range_of};
use crate::finding::Edit;
use crate::resolve::Shape;
use crate::rule::Rule;

/// A key that looks like a secret and asks to be printed.
pub(crate) const RULE: Rule = Rule {
    id: "secret-key-prints",
    summary: "a key that looks like a secret opts in to being printed",
    explain: "\
A printed value ends up in every log line, trace and crash report of the request.

    key! { pub SessionToken: String, print }
    key! { pub SessionToken: String }

Print an id that stands for it instead. Found by the words in the name of the key or of its
type: password, passphrase, secret, token, API key, private key, authorization, bearer, session,
cookie, credential, JWT. `secret-words` in ctx-lint.toml adds to them. Names that only count or
classify (`TokenCount`, `SessionKind`) are left alone, and so is test code.
",
};

const WORDS: [&str; 17] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "tokens",
    "authorization",
    "bearer",
    "session",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "jwt",
];

const PAIRS: [(&str, &str); 6] = [
    ("api", "key"),
    ("private", "key"),
    ("signing", "key"),
    ("access", "key"),
    ("auth", "key"),
    ("auth", "header"),
];

/// Last words that make a name a fact about a secret, not the secret.
const FACTS: [&str; 18] = [
    "count", "budget", "limit", "len", "length", "kind", "type", "version", "expiry", "ttl", "age",
    "policy", "consent", "present", "scope", "scopes", "usage", "size",
];

/// Called for a key that prints; `option` is what makes it print, and `range` that with its
/// comma, where taking it away repairs the key.
pub(crate) fn check(
    cx: &mut Cx<'_>,
    key: &Ident,
    value: &Type,
    option: Span,
    removal: Option<std::ops::Range<usize>>,
) {
    if cx.harness {
        return;
    }
    let names = std::iter::once(key.to_string()).chain(
        Shape::of([value])
            .paths
            .into_iter()
            .filter_map(|mut path| path.segments.pop()),
    );
    let Some(name) = names.into_iter().find(|name| is_secret(cx, name)) else {
        return;
    };
    let message = if *key == name {
        format!("the key `{key}` looks like a secret and is printed")
    } else {
        format!("the key `{key}` prints a `{name}`, which looks like a secret")
    };
    let fix = removal.map(|range| {
        vec![Edit {
            range,
            replacement: String::new(),
        }]
    });
    let help =
        format!("leave the value out of logs: `key! {{ {key}: … }}`, and print an id instead");
    cx.report(
        &RULE,
        range_of(&[option]),
        message,
        "shows the value in logs and traces",
        help,
        fix,
    );
}

fn is_secret(cx: &Cx<'_>, name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else {
        return false;
    };
    if FACTS.contains(&last.as_str()) {
        return false;
    }
    let single = words.iter().any(|word| {
        WORDS.contains(&word.as_str()) || cx.config.secret_words.iter().any(|own| own == word)
    });
    // `Apikey` is one word to its author.
    let glued = PAIRS
        .iter()
        .any(|(a, b)| words.iter().any(|word| *word == format!("{a}{b}")));
    let pair = words
        .windows(2)
        .any(|two| PAIRS.iter().any(|(a, b)| two[0] == *a && two[1] == *b));
    single || pair || glued
}

/// The words of a name in camel case or with underscores, in lower case.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && (chars[at - 1].is_lowercase() || chars[at - 1].is_numeric());
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let starts = c.is_uppercase() && (after_lower || before_lower);
        if *c == '_' || starts {
            words.push(String::new());
        }
        if *c != '_' {
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn names_are_split_into_words() {
        let check = |name, expected: &[&str]| assert_eq!(words(name), expected, "{name}");
        check("SessionToken", &["session", "token"]);
        check("APIKey", &["api", "key"]);
        check("JWT", &["jwt"]);
        check("OAuth2Token", &["o", "auth2", "token"]);
        check("api_key", &["api", "key"]);
    }
}
