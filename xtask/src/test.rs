//! Every test of every crate: units, promises, and the examples in the documentation.

use std::time::Duration;

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// For each test program, those that build programs of their own on a slow machine included: it
/// ends a test that hangs.
const LIMIT: Duration = Duration::from_secs(1800);

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    // The same packages and features as clippy and the docs, so that dependencies are built once.
    // No kinds of targets are named: cargo then builds the example programs too, which tests start.
    let tests = Cmd::cargo("test --workspace --all-features");
    steps.run(workspace, "tests", &tests.limit(LIMIT))
}
