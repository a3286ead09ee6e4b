//! The published crates for the systems that are not this one, as far as a compiler can tell.

use std::process::{Command, Stdio};

use crate::packages::published;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// One target for each family of systems besides Linux.
const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let packages = match published(workspace) {
        Ok(packages) => packages,
        Err(why) => return steps.check("packages", "cargo xtask platforms", || Err(why)),
    };
    let named: String = packages
        .iter()
        .map(|package| format!(" -p {}", package.name))
        .collect();
    let installed = installed();
    for target in TARGETS {
        if !installed.lines().any(|line| line == target) {
            steps.skip(target, "its standard library is not installed");
            continue;
        }
        let line = format!("check --target {target} --all-features --lib --bins -p xtask{named}");
        steps.run(workspace, target, &Cmd::cargo(&line))?;
    }
    Ok(())
}

/// The targets that the toolchain has a standard library for.
fn installed() -> String {
    let output = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
