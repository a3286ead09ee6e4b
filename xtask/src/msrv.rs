//! The published crates on the oldest toolchains they promise to build with.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::packages::{Package, published, text};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// `rust-version` of the workspace; tidy holds the two together.
pub(crate) const MSRV: &str = "1.85";

/// Features that need a newer compiler than their crate, for a dependency's sake: without them
/// the crate builds with the older one.
const NEWER: &[(&str, &[&str], &str)] = &[("tokio-ctx", &["tower", "axum", "tonic"], "1.88")];

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let checks = match published(workspace) {
        Ok(packages) => checks(&packages),
        Err(why) => return steps.check("packages", "cargo xtask msrv", || Err(why)),
    };
    for (version, lines) in checks {
        if !is_installed(&version) {
            let title = format!("{} crates on {version}", lines.len());
            steps.skip(&title, &format!("the toolchain {version} is not installed"));
            continue;
        }
        for (title, line) in lines {
            // An older compiler's artifacts would evict the current one's from a shared directory.
            let cmd = Cmd::cargo(&format!("+{version} {line}")).env(
                "CARGO_TARGET_DIR",
                workspace.target().join("msrv").to_string_lossy(),
            );
            steps.run(workspace, &format!("{title} on {version}"), &cmd)?;
        }
    }
    Ok(())
}

/// The commands for each toolchain: every crate with all features that build there, and with its
/// other features where those do.
fn checks(packages: &[Package]) -> BTreeMap<String, Vec<(String, String)>> {
    let mut checks: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for package in packages {
        let name = &package.name;
        let own = text(&package.metadata["rust_version"]);
        let newer: Vec<_> = NEWER.iter().filter(|(of, ..)| of == name).collect();
        let features: Vec<&str> = package
            .features()
            .filter(|feature| !newer.iter().any(|(_, names, _)| names.contains(feature)))
            .collect();
        let named = match features[..] {
            [] => String::new(),
            _ => format!(" --features {}", features.join(",")),
        };
        let line = format!("check --locked -p {name} --no-default-features{named}");
        checks.entry(own).or_default().push((name.clone(), line));
        for (_, names, version) in newer {
            let names = names.join(",");
            let line = format!("check --locked -p {name} --features {names}");
            let title = format!("{name} with {names}");
            checks
                .entry((*version).to_owned())
                .or_default()
                .push((title, line));
        }
    }
    checks
}

fn is_installed(version: &str) -> bool {
    let quiet = Command::new("cargo")
        .args([&format!("+{version}"), "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::testing::package;

    #[test]
    fn a_feature_that_needs_a_newer_compiler_is_checked_with_that_one() {
        let door = package(
            "tokio-ctx",
            "1.85",
            &["default", "signal", "tower", "axum", "tonic"],
        );
        let checks = checks(&[door, package("cargo-ctx-lint", "1.85", &[])]);
        let lines = |version: &str| -> Vec<&str> {
            checks[version]
                .iter()
                .map(|(_, line)| line.as_str())
                .collect()
        };
        assert_eq!(
            lines("1.85"),
            [
                "check --locked -p tokio-ctx --no-default-features --features default,signal",
                "check --locked -p cargo-ctx-lint --no-default-features",
            ]
        );
        assert_eq!(
            lines("1.88"),
            ["check --locked -p tokio-ctx --features tower,axum,tonic"]
        );
    }
}
