//! No example in Markdown has lines that only rustdoc hides: a code host shows them, marks and all.

use super::{Files, Finding};

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Prose inside a crate's `src` is shown by rustdoc alone.
    for (path, text) in files
        .ending(".md")
        .filter(|(path, _)| !path.contains("/src/"))
    {
        let mut in_rust = false;
        for (index, line) in text.lines().enumerate() {
            if let Some(language) = line.strip_prefix("```") {
                in_rust = language.starts_with("rust");
            } else if in_rust && (line == "#" || line.starts_with("# ")) {
                let what = "a hidden line of an example, which readers of the file see";
                findings.push(Finding::new(path, index + 1, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    #[test]
    fn a_hidden_line_is_found() {
        let page = "# Title\n\n```rust\n#[test]\n# fn f() {}\n#\n```\n\n```sh\n# a comment\n```\n";
        assert_eq!(
            places(&check(&files(&[("docs/a.md", page)]))),
            ["docs/a.md:5", "docs/a.md:6"]
        );
        assert_eq!(check(&files(&[("crates/a/src/docs/crate.md", page)])), []);
    }
}
