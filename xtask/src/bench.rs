//! The benchmarks.

use crate::command::Flag;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// Handed on to the benchmarks.
pub(crate) const OPTIONS: &[Flag] = &[
    ("--quick", "a first look, with few samples"),
    ("--json", "one line of JSON for each row"),
    ("--growth", "how costs grow with the size"),
    (
        "--instructions",
        "instructions instead of time, counted by callgrind",
    ),
    ("--no-write", "leaves the page of results as it is"),
];

/// What services ship: see `[profile.bench]` of the workspace.
const BUILD: &str = "build --profile bench -p benches --bins";
const RUN: &str = "run --quiet --profile bench -p benches";

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("crates/benches/Cargo.toml")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    // All its programs: one counts allocations, which the others must not.
    steps.run(workspace, "build the benchmarks", &Cmd::cargo(BUILD))?;
    let mut line = RUN.to_owned();
    if !options.is_empty() {
        line.push_str(" -- ");
        line.push_str(&options.join(" "));
    }
    let mut last = String::new();
    steps.check("benchmarks", &format!("cargo {line}"), || {
        last = Cmd::cargo(&line).last_line(workspace)?;
        Ok(())
    })?;
    if last.starts_with("bench: ") {
        steps.last_line(last);
    }
    Ok(())
}
