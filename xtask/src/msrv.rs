//! The published crates on the oldest toolchain they promise to build with.

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// `rust-version` of the workspace; tidy holds the two together.
pub(crate) const MSRV: &str = "1.85";

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    // An older compiler's artifacts would evict the current one's from a shared directory.
    let cmd = Cmd::cargo(&format!(
        "+{MSRV} check -p tokio-ctx -p tokio-ctx-core -p spawn_scoped -p cut-points --locked"
    ))
    .env(
        "CARGO_TARGET_DIR",
        workspace.target().join("msrv").to_string_lossy(),
    );
    steps.run(workspace, "oldest toolchain", &cmd)
}
