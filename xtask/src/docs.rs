//! The API documentation without a warning, and every example in it.

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let doc = Cmd::cargo("doc --workspace --all-features --no-deps");
    steps.run(
        workspace,
        "documentation",
        &doc.env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    steps.run(
        workspace,
        "doc tests",
        &Cmd::cargo("test --workspace --all-features --doc"),
    )
}
