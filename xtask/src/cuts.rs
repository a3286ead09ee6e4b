//! Programs cut at every point: those with a planted fault must be accused, healthy ones not.

use std::process::Command;

use crate::steps::{Outcome, Steps};
use crate::workspace::Workspace;

const CORPUS: &str = "test -p cut-points --all-features --test corpus -- --nocapture";

/// How the corpus begins the line that sums it up.
const VERDICT: &str = "cuts: ";

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("crates/cut-points/tests/corpus/main.rs")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let mut verdict = None;
    steps.check("corpus", &format!("cargo {CORPUS}"), || {
        verdict = Some(corpus(workspace)?);
        Ok(())
    })?;
    if let Some(verdict) = verdict {
        steps.last_line(verdict);
    }
    Ok(())
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
