//! No test is switched off.

use super::{Files, Finding};

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.ending(".rs") {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("#[ignore") || line.starts_with("```ignore") {
                findings.push(Finding::new(path, index + 1, "a test that does not run"));
            }
            // In a doc comment the fence follows the comment marks.
            let fence = line.trim_start_matches(['/', '!', ' ']);
            if line.starts_with("//") && fence.starts_with("```ignore") {
                findings.push(Finding::new(
                    path,
                    index + 1,
                    "an example that does not compile",
                ));
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
    fn an_ignored_test_is_found() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n    #[ignore]\n";
        assert_eq!(
            places(&check(&files(&[("a.rs", text)]))),
            ["a.rs:2", "a.rs:4"]
        );
        assert_eq!(check(&files(&[("a.md", text)])), []);
    }

    #[test]
    fn an_ignored_example_is_found() {
        let text = "/// ```\n/// ```ignore\n//! ```ignore,should_panic\n/// ```no_run\n";
        assert_eq!(
            places(&check(&files(&[("a.rs", text)]))),
            ["a.rs:2", "a.rs:3"]
        );
    }
}
