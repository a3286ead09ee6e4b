//! Queries cut at random moments on real servers, and no other query hit. With `--recipes`, the tests
//! of the recipes too, for drivers that there is no feature for.

use std::time::Duration;

use crate::command::Flag;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// The storm takes about two minutes; this ends one that hangs.
const LIMIT: Duration = Duration::from_secs(900);

pub(crate) const OPTIONS: &[Flag] = &[(
    "--recipes",
    "the recipes too, for drivers that there is no feature for",
)];

/// Workspaces of their own.
const RECIPES: &[&str] = &["tests/recipes", "tests/recipes/sqlx"];

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("tests/databases/examples/storm/main.rs")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let example = Cmd::cargo("run -p examples --bin postgres");
    steps.run(workspace, "service on PostgreSQL", &example.limit(LIMIT))?;
    let storm = Cmd::cargo("run -p databases --example storm");
    steps.run(workspace, "storm of cancels", &storm.limit(LIMIT))?;
    if options.iter().any(|option| option == "--recipes") {
        for recipes in RECIPES {
            let tests = format!("test --manifest-path {recipes}/Cargo.toml --locked");
            steps.run(workspace, recipes, &Cmd::cargo(&tests).limit(LIMIT))?;
        }
    }
    Ok(())
}
