//! The API documentation without a warning, every link, and every block of code.

use crate::steps::{Cmd, Outcome, Steps};
use crate::tidy;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    documentation(workspace, steps)?;
    steps.check("links", "cargo xtask docs", || tidy::links(workspace))?;
    steps.run(
        workspace,
        "doc tests",
        &Cmd::cargo("test --workspace --all-features --doc"),
    )
}

/// Without its examples, which are tests and run with the others in `ci`.
pub(crate) fn documentation(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let doc = Cmd::cargo("doc --workspace --all-features --no-deps");
    steps.run(
        workspace,
        "documentation",
        &doc.env("RUSTDOCFLAGS", "-D warnings"),
    )
}
