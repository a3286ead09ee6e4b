//! The fuzz targets, each for a minute, beginning with the inputs of its corpus.

use std::process::{Command, Stdio};

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// The targets, by the names of their corpora; the tests run the same inputs once.
const TARGETS: [&str; 2] = ["headers", "causes"];

/// How long each is run, in seconds.
const SECONDS: u32 = 60;

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    for target in TARGETS {
        if !is_installed() {
            steps.skip(target, "cargo-fuzz is not installed");
            continue;
        }
        let line = format!(
            "+nightly fuzz run --fuzz-dir tests/fuzz {target} -- -max_total_time={SECONDS}"
        );
        steps.run(workspace, target, &Cmd::cargo(&line))?;
    }
    Ok(())
}

fn is_installed() -> bool {
    let quiet = Command::new("cargo-fuzz")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}
