//! Programs cut at every point: those with a planted fault must be accused, healthy ones not. With
//! `--found`, well-known crates too, on a real server where they need one.

use std::process::Command;
use std::time::Duration;

use crate::command::Flag;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) const OPTIONS: &[Flag] = &[(
    "--found",
    "well-known crates too, on a PostgreSQL that it starts",
)];

/// For each test program of the well-known crates.
const LIMIT: Duration = Duration::from_secs(1200);

const CORPUS: &str = "test -p cut-points --all-features --test own --test corpus -- --nocapture";

/// How the corpus begins the line that sums it up.
const VERDICT: &str = "cuts: ";

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("crates/cut-points/tests/corpus/main.rs")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let mut verdict = None;
    steps.check("corpus", &format!("cargo {CORPUS}"), || {
        verdict = Some(corpus(workspace)?);
        Ok(())
    })?;
    if options.iter().any(|option| option == "--found") {
        found(workspace, steps)?;
    }
    if let Some(verdict) = verdict {
        steps.last_line(verdict);
    }
    Ok(())
}

/// Well-known crates: each finding must show again, and what was found sound must hold. They start
/// the PostgreSQL server that they need.
fn found(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let tests = "test --manifest-path crates/cut-points/found/Cargo.toml --locked -- --nocapture";
    let tests = Cmd::cargo(tests);
    steps.run(workspace, "well-known crates", &tests.limit(LIMIT))
}

/// Runs the corpus, shows what it prints, and returns its last word.
fn corpus(workspace: &Workspace) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(CORPUS.split(' '))
        .current_dir(workspace.root())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    eprint!("{text}");
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(output.status.to_string());
    }
    let verdict = text.lines().find(|line| line.starts_with(VERDICT));
    let verdict = verdict.ok_or("the corpus says nothing of its verdict")?;
    Ok(verdict.to_owned())
}
