//! What a newcomer reads stays short: the README, each page of the guide, and all pages together.
//!
//! The appendix is for proofs and reference tables, and has no limit.

use super::{Files, Finding};

/// Words of the README.
const README: usize = 500;
/// Lines of a page of the guide.
const PAGE: usize = 150;
/// Words of all pages together, code included.
const TOGETHER: usize = 12_000;

const GUIDE: &str = "docs/guide/";
/// Pages beside the guide, and one of the appendix that is read like a page.
const PAGES: [&str; 7] = [
    "README.md",
    "docs/appendix/guidance.md",
    "docs/clocks-and-threads.md",
    "docs/loom.md",
    "docs/order-of-layers.md",
    "docs/services.md",
    "docs/which-crate.md",
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut together = 0;
    for (path, text) in files.ending(".md") {
        let in_guide = path.starts_with(GUIDE);
        if !in_guide && !PAGES.contains(&path) {
            continue;
        }
        let words = text.split_whitespace().count();
        together += words;
        if path == "README.md" && words > README {
            let what = format!("{words} words; {README} are allowed");
            findings.push(Finding::new(path, 0, what));
        }
        let lines = text.lines().count();
        if in_guide && lines > PAGE {
            let what = format!("{lines} lines; {PAGE} are allowed");
            findings.push(Finding::new(path, lines, what));
        }
    }
    if together > TOGETHER {
        let what = format!("{together} words in all pages; {TOGETHER} are allowed");
        findings.push(Finding::new("docs", 0, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    fn found(pages: &[(&str, String)]) -> Vec<String> {
        let pages: Vec<(&str, &str)> = pages.iter().map(|(path, text)| (*path, &**text)).collect();
        places(&check(&files(&pages)))
    }

    #[test]
    fn a_wordy_readme_is_found() {
        assert_eq!(found(&[("README.md", "word ".repeat(500))]), [""; 0]);
        assert_eq!(
            found(&[("README.md", "word ".repeat(501))]),
            ["README.md:0"]
        );
    }

    #[test]
    fn a_long_page_is_found() {
        let page = "docs/guide/01-a.md";
        assert_eq!(found(&[(page, "line\n".repeat(150))]), [""; 0]);
        assert_eq!(
            found(&[(page, "line\n".repeat(151))]),
            [format!("{page}:151")]
        );
    }

    #[test]
    fn too_many_words_in_all_are_found() {
        let half = "word ".repeat(6_000);
        let pages = |more: &str| {
            [
                ("docs/loom.md", half.clone()),
                ("docs/guide/01-a.md", half.clone() + more),
                ("docs/appendix/benchmarks.md", half.clone()),
            ]
        };
        assert_eq!(found(&pages("")), [""; 0]);
        assert_eq!(found(&pages("more")), ["docs:0"]);
    }
}
