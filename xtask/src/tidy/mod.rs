//! Formatting, the project's own rules, clippy, and the lint that we give our users.

mod circles;
mod hidden;
mod hostile;
mod links;
mod locks;
mod machine;
mod manifests;
mod markers;
mod readme;
mod seams;
mod surface;
mod tree;
mod vocabulary;
mod words;
mod workflow;

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use crate::VERBS;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// The project's text files by path, sorted.
struct Files(Vec<(String, String)>);

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 when the file as a whole is meant.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Files {
    fn read(workspace: &Workspace) -> Result<Files, String> {
        let mut files = Vec::new();
        for path in workspace.files()? {
            let bytes = fs::read(workspace.root().join(&path))
                .map_err(|error| format!("{path}: {error}"))?;
            // What is not text has nothing these rules could read.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push((path, text));
            }
        }
        Ok(Files(files))
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| *other == path)
            .map(|(_, text)| text)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose path ends with `end`.
    fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(move |(path, _)| path.ends_with(end))
    }

    /// Whether a file or a directory of this path is part of the project.
    fn holds(&self, path: &str) -> bool {
        let dir = format!("{path}/");
        path.is_empty()
            || self
                .iter()
                .any(|(other, _)| other == path || other.starts_with(&dir))
    }
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    steps.run(workspace, "format", &Cmd::cargo("fmt --all --check"))?;
    steps.check("project rules", "cargo xtask tidy", || rules(workspace))?;
    steps.check("what `cargo add` brings", "cargo xtask tidy", || {
        verdict(&tree::check(workspace)?)
    })?;
    steps.check("packages", "cargo xtask tidy", || {
        crate::package::sources(workspace)
    })?;
    // Only the Rust toolchain is assumed, so these are run where they are installed.
    optional(workspace, steps, "spelling", "typos", "typos")?;
    optional(
        workspace,
        steps,
        "dependency policy",
        "cargo-deny",
        "cargo deny --log-level error check",
    )?;
    optional(workspace, steps, "workflows", "actionlint", "actionlint")?;
    optional(
        workspace,
        steps,
        "what workflows may do",
        "zizmor",
        "zizmor --quiet --offline .github",
    )?;
    optional(
        workspace,
        steps,
        "links, fragments included",
        "lychee",
        "lychee --quiet --offline --include-fragments README.md CONTRIBUTING.md docs crates",
    )?;
    let clippy = "clippy --workspace --all-targets --all-features -- -D warnings";
    steps.run(workspace, "clippy", &Cmd::cargo(clippy))?;
    let context_lint = Cmd::cargo("run --quiet -p cargo-ctx-lint -- ctx-lint");
    steps.run(workspace, "context lint", &context_lint)
}

fn optional(
    workspace: &Workspace,
    steps: &mut Steps,
    title: &str,
    tool: &str,
    line: &str,
) -> Outcome {
    if is_installed(tool) {
        return steps.run(workspace, title, &Cmd::new(line));
    }
    steps.skip(title, &format!("{tool} is not installed"));
    Ok(())
}

fn is_installed(tool: &str) -> bool {
    let quiet = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

fn rules(workspace: &Workspace) -> Result<(), String> {
    let files = Files::read(workspace)?;
    let verbs: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    let findings: Vec<Finding> = [
        readme::check(&files),
        words::check(&files),
        locks::check(&files),
        machine::check(&files, &workspace.root().to_string_lossy()),
        manifests::check(&files, crate::msrv::MSRV),
        markers::check(&files),
        hidden::check(&files),
        hostile::check(&files),
        seams::check(&files),
        circles::check(&files),
        surface::check(&files),
        vocabulary::check(&files),
        workflow::check(&files, &verbs),
        links::check(&files),
    ]
    .into_iter()
    .flatten()
    .collect();
    verdict(&findings)
}

/// Whether every link of the documents leads somewhere, for the verb `docs`.
pub(crate) fn links(workspace: &Workspace) -> Result<(), String> {
    verdict(&links::check(&Files::read(workspace)?))
}

fn verdict(findings: &[Finding]) -> Result<(), String> {
    for finding in findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} breaches of the rules")),
    }
}

/// What the tests of the rules are written with.
#[cfg(test)]
mod testing {
    use super::{Files, Finding};

    pub(super) fn files(files: &[(&str, &str)]) -> Files {
        Files(
            files
                .iter()
                .map(|&(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    /// Path and line of each finding.
    pub(super) fn places(findings: &[Finding]) -> Vec<String> {
        findings
            .iter()
            .map(|finding| format!("{}:{}", finding.path, finding.line))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_when_a_file_in_it_is() {
        let files = testing::files(&[("docs/a.md", "")]);
        assert!(files.holds("docs") && files.holds("docs/a.md") && files.holds(""));
        assert!(!files.holds("doc") && !files.holds("docs/a"));
    }

    #[test]
    fn the_rules_read_the_workspace_itself() {
        let workspace = Workspace::find().expect("the tests run in the workspace");
        let files = Files::read(&workspace).expect("the workspace is readable");
        assert!(
            files
                .get("xtask/src/tidy/mod.rs")
                .is_some_and(|text| text.contains("Finding"))
        );
        assert!(files.ending("Cargo.toml").count() > 2);
    }
}
