//! Random trees of scopes, for as long as it takes to believe that nothing leaks.

use std::time::Duration;

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// The soak bounds itself to two minutes; this ends one that hangs, build included.
const LIMIT: Duration = Duration::from_secs(900);

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("crates/spawn_scoped/examples/soak/main.rs")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let soak = Cmd::cargo("run --release -p spawn_scoped --example soak -- --seconds 120");
    steps.run(workspace, "soak", &soak.limit(LIMIT))
}
