//! Running the binary, and making workspaces for it to read.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// What a run of the binary did.
pub(crate) struct Run {
    /// The exit status.
    pub(crate) status: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

impl Run {
    /// The output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Every finding as `file:line rule`.
    pub(crate) fn findings(&self) -> Vec<String> {
        let report = self.json();
        let findings = report["findings"].as_array().expect("a list of findings");
        findings
            .iter()
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().expect("a string").to_owned();
                format!("{}:{} {}", text("file"), finding["line"], text("rule"))
            })
            .collect()
    }
}

/// Runs the binary in a directory.
pub(crate) fn lint(directory: &Path, args: &[&str]) -> Run {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_cargo-ctx-lint"))
        .args(args)
        .current_dir(directory)
        .output()
        .expect("the binary starts");
    Run {
        status: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A directory with these files in it.
pub(crate) fn files(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (path, text) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().expect("inside the directory")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    directory
}

/// A manifest of a package without dependencies, as `cargo metadata --no-deps` needs it.
pub(crate) fn manifest(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n")
}
