//! Names in the kernels are the field's words: a private one needs its author beside the reader.

use super::{Files, Finding};

const CRATES: [&str; 2] = ["crates/tokio-ctx-core/src/", "crates/spawn_scoped/src/"];

/// Parts of names that were used once, and what is meant by each.
const PRIVATE: [(&str, &str); 8] = [
    ("book", "state, or list"),
    ("chase", "what is done"),
    ("latch", "resolve"),
    ("latched", "resolved"),
    ("loan", "permit"),
    ("rare", "cold, or extra"),
    ("seat", "slot"),
    ("stock", "pool"),
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.ending(".rs") {
        if !CRATES.iter().any(|inside| path.starts_with(inside)) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            // Prose is for people who read it over.
            let code = line.split("//").next().unwrap_or_default();
            for (word, meant) in PRIVATE {
                if parts(code).any(|part| part.eq_ignore_ascii_case(word)) {
                    let what = format!("`{word}` in a name; the field's word is {meant}");
                    findings.push(Finding::new(path, index + 1, what));
                }
            }
        }
    }
    findings
}

/// The words that names are made of, in either way of writing them.
fn parts(code: &str) -> impl Iterator<Item = &str> {
    let names = code.split(|c: char| !c.is_ascii_alphanumeric());
    names.flat_map(|name| {
        let mut from = 0;
        let mut parts = Vec::new();
        for (index, mark) in name.char_indices().skip(1) {
            let is_after_lower = name[..index].ends_with(|c: char| c.is_ascii_lowercase());
            if mark.is_ascii_uppercase() && is_after_lower {
                parts.push(&name[from..index]);
                from = index;
            }
        }
        parts.push(&name[from..]);
        parts
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    #[test]
    fn a_private_word_in_a_name_is_found() {
        let found = |text| {
            let path = "crates/spawn_scoped/src/a.rs";
            places(&check(&files(&[(path, text)]))).len()
        };
        assert_eq!(found("let lock_rare = 1;\n"), 1);
        assert_eq!(found("struct RareCell;\nconst LATCHED: u8 = 1;\n"), 2);
        assert_eq!(found("fn rarely(bookkeeping: u8) {}\n// A rare case.\n"), 0);
        assert_eq!(
            check(&files(&[("crates/other/src/a.rs", "let book = 1;\n")])),
            []
        );
    }
}
