//! The demo service, which plays its own clients and checks itself.

use std::time::Duration;

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// Far above what the demo needs: it ends a demo that hangs.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("crates/examples/Cargo.toml")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    // Word for word the command of the README.
    steps.run(
        workspace,
        "demo",
        &Cmd::cargo("run -p examples").limit(LIMIT),
    )
}
