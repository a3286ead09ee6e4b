//! The published crates, handed to the registry in the order that they need each other.
//!
//! Without an option nothing is uploaded: the registry's client packs all crates and resolves them
//! among each other, as it does before it uploads.

use std::fs;
use std::process::{Command, Stdio};

use crate::command::Flag;
use crate::packages::{Package, published};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) const OPTIONS: &[Flag] = &[
    ("--check", "that all is ready: each version has its entry"),
    ("--publish", "uploads, which cannot be taken back"),
];

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let packages = match published(workspace) {
        Ok(packages) => packages,
        Err(why) => return steps.check("packages", "cargo xtask release", || Err(why)),
    };
    let asked = |option: &str| options.iter().any(|given| given == option);
    let (publish, check) = (asked("--publish"), asked("--check"));
    let repeat = match options {
        [] => "cargo xtask release",
        _ => "cargo xtask release --check",
    };
    steps.check("changelogs", repeat, || {
        changelogs(workspace, &packages, publish || check)
    })?;
    if !publish {
        semver(workspace, steps, &packages)?;
        return if check {
            Ok(())
        } else {
            rehearse(workspace, steps, &packages)
        };
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

/// All that publishing does, except for the upload, and for building what `package` builds.
fn rehearse(workspace: &Workspace, steps: &mut Steps, packages: &[Package]) -> Outcome {
    let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
    let line = format!(
        "publish --dry-run --no-verify --locked --allow-dirty -p {}",
        names.join(" -p ")
    );
    steps.run(workspace, "dry run", &Cmd::cargo(&line))?;
    steps.last_line(format!(
        "release: nothing is uploaded; the order is {}",
        names.join(", ")
    ));
    Ok(())
}

/// Each crate has an entry: under its version where `released`, else under `Unreleased` will do.
fn changelogs(workspace: &Workspace, packages: &[Package], released: bool) -> Result<(), String> {
    let mut faults = Vec::new();
    for package in packages {
        let own = format!("{}/CHANGELOG.md", package.directory);
        let (path, heading) = if workspace.has(&own) {
            (own, None)
        } else {
            ("CHANGELOG.md".to_owned(), Some(&*package.name))
        };
        let text = fs::read_to_string(workspace.root().join(&path))
            .map_err(|error| format!("{path}: {error}"))?;
        if let Some(fault) = fault(&text, heading, &package.version, released) {
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

/// What is wrong with the entries of a crate, which are under a heading of its name in a changelog
/// that it shares.
fn fault(text: &str, heading: Option<&str>, version: &str, released: bool) -> Option<String> {
    let under = |version: &str| entries(text, heading, version);
    let name = heading.map_or(String::new(), |name| format!(" for `### {name}`"));
    match (under(version), under("Unreleased")) {
        (0, 0) if !released => Some(format!(
            "no entry{name} under `## {version}` or `## Unreleased`"
        )),
        (_, _) if !released => None,
        (0, _) => Some(format!("no entry{name} under `## {version}`")),
        (_, 0) => None,
        (_, left) => Some(format!(
            "{left} entries{name} are still under `## Unreleased`"
        )),
    }
}

/// How many entries there are for a version.
fn entries(text: &str, heading: Option<&str>, version: &str) -> usize {
    let is_version = |line: &str| {
        let title = line.strip_prefix("## ").unwrap_or_default();
        title.trim_start_matches('[').starts_with(version)
    };
    let section = text
        .lines()
        .skip_while(|line| !is_version(line))
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let mut within = heading.is_none();
    let mut number = 0;
    for line in section {
        if let (Some(name), Some(title)) = (heading, line.strip_prefix("### ")) {
            within = title == name;
        }
        number += usize::from(within && line.starts_with("- "));
    }
    number
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
        let text = "# Changelog\n\n## [Unreleased]\n\n- a\n";
        let expected = "no entry under `## 0.1.0`";
        assert_eq!(fault(text, None, "0.1.0", true).expect("a fault"), expected);
        assert_eq!(fault(text, None, "0.1.0", false), None);
        let expected = "no entry under `## 0.1.0` or `## Unreleased`";
        assert_eq!(
            fault("# Changelog\n", None, "0.1.0", false).expect("a fault"),
            expected
        );
    }

    #[test]
    fn entries_that_are_left_behind_are_found() {
        let text = "## [Unreleased]\n\n- late\n\n## 0.1.0\n\n- a\n- b\n";
        let expected = "1 entries are still under `## Unreleased`";
        assert_eq!(fault(text, None, "0.1.0", true).expect("a fault"), expected);
        assert_eq!(
            fault(&text.replace("- late\n", ""), None, "0.1.0", true),
            None
        );
        assert_eq!(
            fault("## [0.1.0] - 2026-12-01\n- a\n", None, "0.1.0", true),
            None
        );
    }

    #[test]
    fn a_crate_in_a_shared_changelog_needs_an_entry_of_its_own() {
        let text = "## 0.1.0\n\n### one\n\n- a\n\n### two\n\n## 0.0.9\n\n### two\n\n- old\n";
        assert_eq!(fault(text, Some("one"), "0.1.0", true), None);
        let expected = "no entry for `### two` under `## 0.1.0`";
        assert_eq!(
            fault(text, Some("two"), "0.1.0", true).expect("a fault"),
            expected
        );
    }
}
