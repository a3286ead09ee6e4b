//! Everything a submission must pass, the cheap gates first.

use crate::steps::{Outcome, Steps};
use crate::workspace::Workspace;
use crate::{cuts, demo, docs, loom, test, tidy};

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    tidy::run(workspace, steps, &[])?;
    test::run(workspace, steps, &[])?;
    docs::documentation(workspace, steps)?;
    if loom::offered(workspace) {
        loom::run(workspace, steps, &[])?;
    }
    if cuts::offered(workspace) {
        cuts::run(workspace, steps, &[])?;
    }
    if demo::offered(workspace) {
        demo::run(workspace, steps, &[])?;
    }
    Ok(())
}
