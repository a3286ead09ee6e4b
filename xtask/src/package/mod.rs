//! Every published crate as a user gets it: packed, unpacked elsewhere, looked through, built,
//! documented as docs.rs does it, and tested from what was in the package.

mod contents;
pub(crate) mod unpacked;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::Flag;
use crate::packages::{Package, list, published, text};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) const OPTIONS: &[Flag] = &[("--no-tests", "without the tests of the packages")];

/// For each test program, as in `cargo xtask test`.
const LIMIT: Duration = Duration::from_secs(1800);

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let found = published(workspace);
    let packages = found.clone().unwrap_or_default();
    steps.check("order of publication", "cargo xtask package", || {
        let packages = found?;
        let names: Vec<_> = packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        eprintln!("    {}", names.join(", "));
        Ok(())
    })?;
    let named: String = packages
        .iter()
        .map(|package| format!(" -p {}", package.name))
        .collect();
    let pack = Cmd::cargo(&format!("package --quiet --no-verify --allow-dirty{named}"));
    steps.run(workspace, "pack", &pack)?;
    steps.check("unpack", "cargo xtask package", || {
        unpacked::unpack(workspace, &packages)
    })?;
    steps.check("contents", "cargo xtask package", || {
        look_through(workspace, &packages)
    })?;
    let nightly = has_nightly();
    for package in &packages {
        check(workspace, steps, package, nightly, options)?;
    }
    if !nightly {
        steps.skip(
            "documentation on nightly",
            "nightly is not installed; stable did it",
        );
    }
    let number = packages.len();
    let tested = if options.is_empty() {
        ""
    } else {
        ", their tests not run"
    };
    steps.last_line(format!("package: {number} of {number} complete{tested}"));
    Ok(())
}

/// What the sources of the published crates lack for a package, for the verb `tidy`.
pub(crate) fn sources(workspace: &Workspace) -> Result<(), String> {
    let all = workspace.files()?;
    let mut number = 0;
    for package in published(workspace)? {
        let home = format!("{}/", package.directory);
        let mut files: Vec<String> = all
            .iter()
            .filter_map(|file| file.strip_prefix(&home).map(str::to_owned))
            .collect();
        // Cargo makes it when it packs.
        files.push("Cargo.lock".to_owned());
        let mut faults = contents::faults(&package, &files);
        for licence in contents::LICENCES {
            let read = |path: String| fs::read(workspace.root().join(path)).ok();
            if read(licence.to_owned()) != read(format!("{home}{licence}")) {
                faults.push(format!("its `{licence}` is not a copy of the workspace's"));
            }
        }
        for fault in faults {
            eprintln!("{home}Cargo.toml: {}: {fault}", package.name);
            number += 1;
        }
    }
    match number {
        0 => Ok(()),
        number => Err(format!("{number} faults")),
    }
}

fn look_through(workspace: &Workspace, packages: &[Package]) -> Result<(), String> {
    let mut number = 0;
    for package in packages {
        let files = unpacked::files(workspace, package)?;
        for fault in contents::faults(package, &files) {
            eprintln!("    {}: {fault}", package.name);
            number += 1;
        }
    }
    match number {
        0 => Ok(()),
        number => Err(format!("{number} faults")),
    }
}

fn check(
    workspace: &Workspace,
    steps: &mut Steps,
    package: &Package,
    nightly: bool,
    options: &[String],
) -> Outcome {
    let name = &package.name;
    let inside = |line: String| {
        let target = workspace.target().to_string_lossy().into_owned();
        Cmd::cargo(&line)
            .env("CARGO_TARGET_DIR", target)
            .within(unpacked::directory(workspace))
    };
    steps.run(
        workspace,
        &format!("{name}: build"),
        &inside(format!("build -p {name}")),
    )?;
    if package.is_library {
        let toolchain = if nightly { "+nightly " } else { "" };
        let docs = &package.metadata["metadata"]["docs"]["rs"];
        let features = if docs["all-features"] == true {
            "--all-features".to_owned()
        } else {
            let named: Vec<String> = list(&docs["features"]).map(text).collect();
            format!("--features {}", named.join(","))
        };
        let doc = inside(format!(
            "{toolchain}doc --no-deps --lib -p {name} {features}"
        ))
        .env("RUSTDOCFLAGS", "--cfg docsrs -D warnings");
        // What is only there on nightly is used for the badges alone.
        let doc = if nightly {
            doc
        } else {
            doc.env("RUSTC_BOOTSTRAP", "1")
        };
        // Apart, since the flags differ from those of every other build.
        let doc = doc.env("CARGO_TARGET_DIR", docs_target(workspace).to_string_lossy());
        steps.run(workspace, &format!("{name}: documentation"), &doc)?;
    }
    if options.is_empty() {
        let tests = inside(format!("test -p {name} --all-features"));
        steps.run(workspace, &format!("{name}: tests"), &tests.limit(LIMIT))?;
    }
    Ok(())
}

fn docs_target(workspace: &Workspace) -> PathBuf {
    workspace.target().join("docs-rs")
}

fn has_nightly() -> bool {
    let quiet = Command::new("cargo")
        .args(["+nightly", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}
