//! No test is switched off, and no example depends on what its neighbours do.

use super::{Files, Finding};

/// Calls that read what the whole process runs. The examples of a crate share one process, so
/// one that calls any of these needs a process of its own.
const PROCESS_WIDE: [&str; 6] = [
    "root()",
    "tokio_ctx::snapshot()",
    "Snapshot::bounded(",
    "in_flight::list(",
    "assert_nothing_runs(",
    "view::dump(",
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.ending(".rs") {
        findings.extend(shared_examples(path, text));
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

/// The examples that share a process and look at all of it.
fn shared_examples(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The line and the attributes of the example that is open.
    let mut example: Option<(usize, &str)> = None;
    for (index, line) in text.lines().enumerate() {
        let Some(line) = line.trim_start().strip_prefix("//") else {
            example = None;
            continue;
        };
        let line = line.trim_start_matches(['/', '!', ' ']);
        if let Some(attributes) = line.strip_prefix("```") {
            example = match example {
                None => Some((index + 1, attributes)),
                Some(_) => None,
            };
            continue;
        }
        let Some((opened, attributes)) = example else {
            continue;
        };
        let alone = ["standalone_crate", "no_run", "text", "compile_fail"]
            .iter()
            .any(|attribute| attributes.contains(attribute));
        if !alone && PROCESS_WIDE.iter().any(|call| line.contains(call)) {
            findings.push(Finding::new(
                path,
                opened,
                "an example that reads the whole process, without `standalone_crate`",
            ));
            example = Some((opened, "standalone_crate")); // once is enough
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

    #[test]
    fn an_example_that_reads_the_whole_process_is_found() {
        let text = "/// ```\n/// root().join().await;\n/// ```\n/// ```standalone_crate\n\
            /// root().join().await;\n/// root();\n/// ```\nfn root() {}\n//! ```\n\
            //! let tree = tokio_ctx::snapshot();\n//! root();\n//! ```\n";
        assert_eq!(
            places(&check(&files(&[("a.rs", text)]))),
            ["a.rs:1", "a.rs:9"]
        );
    }
}
