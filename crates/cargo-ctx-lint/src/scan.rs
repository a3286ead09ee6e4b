//! What can be read off a text without parsing it.

/// Whether a text contains any of the words.
pub(crate) fn mentions_any(text: &str, words: &[String]) -> bool {
    words.iter().any(|word| text.contains(word.as_str()))
}

/// Whether the first lines say that a machine wrote the file.
pub(crate) fn is_generated(text: &str) -> bool {
    text.lines()
        .take(5)
        .any(|line| line.starts_with("//") && line.contains("@generated"))
}

/// Names of types that are sent over channels: `Job` of `mpsc::Sender<Job>` and of
/// `tx.send(Job { … })`.
///
/// Comments count as well. That can only excuse too much, never report too much.
pub(crate) fn payloads(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for opening in [
        "Sender<",
        "Receiver<",
        "Sender::<",
        "Receiver::<",
        "channel::<",
    ] {
        for (at, _) in text.match_indices(opening) {
            let inside = arguments(&text[at + opening.len()..]);
            let words = inside.split(|c: char| !c.is_alphanumeric() && c != '_');
            names.extend(
                words
                    .filter(|w| w.starts_with(char::is_uppercase))
                    .map(str::to_owned),
            );
        }
    }
    for call in [".send(", ".try_send(", ".blocking_send(", ".send_async("] {
        for (at, _) in text.match_indices(call) {
            let rest = &text[at + call.len()..];
            // What is built on the spot: everything up to its fields.
            let inside = rest.find(['{', ';', '\n']).map_or("", |end| &rest[..end]);
            let words = inside.split(|c: char| !c.is_alphanumeric() && c != '_');
            names.extend(
                words
                    .filter(|w| w.starts_with(char::is_uppercase))
                    .map(str::to_owned),
            );
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Everything up to the `>` that closes what is already open, within reason.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    for (at, c) in text.char_indices().take(400) {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ';' | '{' => return &text[..at],
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    ""
}

/// Modules declared as `#[cfg(test)] mod name;`, whose files are tests.
pub(crate) fn test_modules(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, attribute) in text.match_indices("#[cfg(test)]") {
        let mut rest = text[at + attribute.len()..].trim_start();
        while let Some(visibility) = rest
            .strip_prefix("pub(crate)")
            .or(rest.strip_prefix("pub "))
        {
            rest = visibility.trim_start();
        }
        let Some((name, _)) = rest
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'))
        else {
            continue;
        };
        if name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{payloads, test_modules};

    #[test]
    fn payloads_are_the_types_inside_channel_ends() {
        let check = |text: &str, expected: &[&str]| assert_eq!(payloads(text), expected, "{text}");
        check("tx: mpsc::Sender<Job>,", &["Job"]);
        check(
            "rx: UnboundedReceiver<Option<(Job, Reply)>>",
            &["Job", "Option", "Reply"],
        );
        check("let (tx, rx) = mpsc::channel::<Job>(8);", &["Job"]);
        check(
            "tx.send(Command::Run(Job { ctx, id })).await",
            &["Command", "Job", "Run"],
        );
        check("if a.len() < b && Sender < c {}", &[]);
    }

    #[test]
    fn test_modules_in_other_files_are_seen() {
        let check = |text: &str, expected: &[&str]| assert_eq!(test_modules(text), expected);
        check(
            "#[cfg(test)]\nmod tests;\n#[cfg(test)] pub(crate) mod fakes;",
            &["tests", "fakes"],
        );
        check("#[cfg(test)]\nmod tests { fn a() {} }", &[]);
    }
}
