//! The models of the kernels, explored by loom and by shuttle.

mod guide;
mod list;
mod mutants;
mod patch;
mod table;

use std::time::Duration;

use crate::command::Flag;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// The crates that may have models; those with axum or tonic do not build under `--cfg loom`.
const CRATES: &[(&str, &str)] = &[
    ("tokio-ctx-core", "crates/tokio-ctx-core"),
    ("spawn_scoped", "crates/spawn_scoped"),
    ("loom-user", "tests/loom-user"),
];

const RUSTFLAGS: &str = "--cfg loom -C debug-assertions";

/// loom's own limits on time and permutations pass silently, so the limit that fails is ours.
const LIMIT: Duration = Duration::from_secs(600);

/// With `--deep` the bound on preemptions is raised, or removed where that ends.
const DEEP_LIMIT: Duration = Duration::from_secs(3600);

pub(crate) const OPTIONS: &[Flag] = &[
    ("--deep", "with a higher bound on preemptions"),
    (
        "--guide",
        "the steps of docs/loom.md as a newcomer takes them",
    ),
    ("--list", "writes the page of planted faults"),
    ("--mutants", "plants every fault, which a model must find"),
    ("--shuttle", "shuttle's models alone"),
];

fn modelled(workspace: &Workspace) -> Vec<&'static str> {
    CRATES
        .iter()
        .filter(|(_, dir)| workspace.has(&format!("{dir}/tests/loom.rs")))
        .map(|(name, _)| *name)
        .collect()
}

pub(crate) fn offered(workspace: &Workspace) -> bool {
    !modelled(workspace).is_empty()
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    for option in options {
        match option.as_str() {
            "--guide" => follow_guide(workspace, steps)?,
            "--list" => steps.check("page of planted faults", "cargo xtask loom --list", || {
                list::write(workspace)
            })?,
            "--mutants" => mutants::run(workspace, steps)?,
            "--deep" => {
                let cmd = models(workspace, "loom", RUSTFLAGS)
                    .env("TOKIO_CTX_DEEP", "1")
                    .limit(DEEP_LIMIT);
                steps.run(workspace, "loom models, deep", &cmd)?;
            }
            _ => shuttle(workspace, steps)?,
        }
    }
    if options.is_empty() {
        let cmd = models(workspace, "loom", RUSTFLAGS).limit(LIMIT);
        steps.run(workspace, "loom models", &cmd)?;
        let repeat = "cargo xtask loom";
        steps.check("docs/loom.md, followed", repeat, || {
            guide::follow(workspace)
        })?;
        shuttle(workspace, steps)?;
    }
    Ok(())
}

fn follow_guide(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let repeat = "cargo xtask loom --guide";
    steps.check("docs/loom.md, followed", repeat, || {
        guide::follow(workspace)
    })
}

/// The same models and a few that are too large for loom, under random schedules of fixed seeds.
fn shuttle(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let cmd = models(workspace, "shuttle", "--cfg shuttle").limit(LIMIT);
    steps.run(workspace, "shuttle", &cmd)
}

/// `target` is the checker: its feature, and its directory below the target directory.
fn models(workspace: &Workspace, target: &str, rustflags: &str) -> Cmd {
    // One command for all of them: one set of features, so nothing is built twice.
    let mut line = String::from("test --release --test loom");
    for name in modelled(workspace) {
        line.push_str(" -p ");
        line.push_str(name);
    }
    line.push_str(&format!(
        " --features tokio-ctx-core/{target},spawn_scoped/{target}"
    ));
    Cmd::cargo(&line)
        .env("RUSTFLAGS", rustflags)
        .env(
            "CARGO_TARGET_DIR",
            workspace.target().join(target).to_string_lossy(),
        )
        .env("LOOM_MAX_PREEMPTIONS", "3")
        .env("LOOM_MAX_BRANCHES", "10000")
}
