//! The published crates, handed to the registry in the order that they need each other.

use std::fs;
use std::process::{Command, Stdio};

use crate::packages::{Package, published};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) const OPTIONS: &[&str] = &["--check", "--publish"];

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let packages = match published(workspace) {
        Ok(packages) => packages,
        Err(why) => return steps.check("packages", "cargo xtask release", || Err(why)),
    };
    let publish = options.iter().any(|option| option == "--publish");
    steps.check("changelogs", "cargo xtask release --check", || {
        changelogs(workspace, &packages)
    })?;
    if !publish {
        return semver(workspace, steps, &packages);
    }
    for package in &packages {
        // Cargo waits until the registry shows it, so that the next one finds it.
        let line = format!("publish --locked -p {}", package.name);
        steps.run(workspace, &package.name, &Cmd::cargo(&line))?;
    }
    let number = packages.len();
    steps.last_line(format!("release: {number} of {number} published"));
    Ok(())
}

/// What changed against the last release, where there is one.
fn semver(workspace: &Workspace, steps: &mut Steps, packages: &[Package]) -> Outcome {
    let title = "promises of the last release";
    if !is_installed() {
        steps.skip(title, "cargo-semver-checks is not installed");
        return Ok(());
    }
    for package in packages.iter().filter(|package| package.is_library) {
        let name = &package.name;
        let title = format!("{name}: {title}");
        if !is_released(name) {
            steps.skip(&title, "nothing of it is released yet");
            continue;
        }
        let line = format!("semver-checks --package {name}");
        steps.run(workspace, &title, &Cmd::cargo(&line))?;
    }
    Ok(())
}

/// Each version that is published has its entry, and nothing of it is left to be released.
fn changelogs(workspace: &Workspace, packages: &[Package]) -> Result<(), String> {
    let mut faults = Vec::new();
    for package in packages {
        let own = format!("{}/CHANGELOG.md", package.directory);
        let path = if workspace.has(&own) {
            own
        } else {
            "CHANGELOG.md".to_owned()
        };
        let text = fs::read_to_string(workspace.root().join(&path))
            .map_err(|error| format!("{path}: {error}"))?;
        if let Some(fault) = fault(&text, &package.version) {
            faults.push(format!("{}: {path}: {fault}", package.name));
        }
    }
    for fault in &faults {
        eprintln!("    {fault}");
    }
    match faults.len() {
        0 => Ok(()),
        number => Err(format!("{number} crates without an entry")),
    }
}

fn fault(text: &str, version: &str) -> Option<String> {
    let headings: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let has_entry = headings
        .iter()
        .any(|heading| heading.trim_start_matches('[').starts_with(version));
    if !has_entry {
        return Some(format!("no entry `## {version}`"));
    }
    let unreleased = text.split("## Unreleased").nth(1)?;
    let left = unreleased
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let number = left.filter(|line| line.starts_with("- ")).count();
    (number > 0).then(|| format!("{number} entries are still under `## Unreleased`"))
}

fn is_installed() -> bool {
    quiet("cargo", &["semver-checks", "--version"])
}

fn is_released(name: &str) -> bool {
    quiet("cargo", &["info", "--registry", "crates-io", name])
}

fn quiet(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn a_version_without_an_entry_is_found() {
        assert_eq!(
            fault("# Changelog\n\n## Unreleased\n\n- a\n", "0.1.0").expect("a fault"),
            "no entry `## 0.1.0`"
        );
    }

    #[test]
    fn entries_that_are_left_behind_are_found() {
        let text = "## Unreleased\n\n- late\n\n## 0.1.0\n\n- a\n- b\n";
        let expected = "1 entries are still under `## Unreleased`";
        assert_eq!(fault(text, "0.1.0").expect("a fault"), expected);
        assert_eq!(fault(&text.replace("- late\n", ""), "0.1.0"), None);
        assert_eq!(fault("## [0.1.0] - 2026-12-01\n- a\n", "0.1.0"), None);
    }
}
