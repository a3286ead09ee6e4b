//! The published crates with the oldest versions of their dependencies that their manifests allow.

use std::fs;
use std::path::Path;

use crate::package::unpacked;
use crate::packages::{Package, published};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let packages = match published(workspace) {
        Ok(packages) => packages,
        Err(why) => return steps.check("packages", "cargo xtask minimal", || Err(why)),
    };
    let named: String = packages
        .iter()
        .map(|package| format!(" -p {}", package.name))
        .collect();
    let pack = Cmd::cargo(&format!("package --quiet --no-verify --allow-dirty{named}"));
    steps.run(workspace, "pack", &pack)?;
    let place = workspace.target().join("minimal");
    steps.check("unpack", "cargo xtask minimal", || {
        unpacked::unpack_for_users(workspace, &packages, &place)?;
        packages
            .iter()
            .try_for_each(|package| stand_alone(&place, package, &packages))
    })?;
    for package in &packages {
        let name = &package.name;
        let inside = |line: &str| {
            Cmd::cargo(line)
                .env("CARGO_TARGET_DIR", place.join("target").to_string_lossy())
                .within(place.join(package.stem()))
        };
        // What we name ourselves; what those name in turn is theirs to keep right.
        let resolve = inside("generate-lockfile -Z direct-minimal-versions");
        let resolve = resolve.env("RUSTC_BOOTSTRAP", "1");
        steps.run(workspace, &format!("{name}: oldest versions"), &resolve)?;
        let check = inside("check --all-features --locked");
        steps.run(workspace, &format!("{name}: checked with them"), &check)?;
    }
    Ok(())
}

/// Makes an unpacked package a workspace of its own that has only what a user of it has: its tests
/// and what they need do not decide about versions, nor do its neighbours.
fn stand_alone(place: &Path, package: &Package, packages: &[Package]) -> Result<(), String> {
    let path = place.join(package.stem()).join("Cargo.toml");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| said(&error))?;
    let mut manifest: toml::Table = toml::from_str(&text).map_err(|error| said(&error))?;
    for table in ["dev-dependencies", "test", "bench", "example"] {
        manifest.remove(table);
    }
    if let Some(toml::Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let toml::Value::Table(target) = target {
                target.remove("dev-dependencies");
            }
        }
    }
    manifest.insert("workspace".to_owned(), toml::Table::new().into());
    let others = packages.iter().filter(|other| other.name != package.name);
    let patched = others.map(|other| {
        let path = format!("../{}", other.stem());
        let path = toml::Table::from_iter([("path".to_owned(), path.into())]);
        (other.name.clone(), toml::Value::Table(path))
    });
    let patch = toml::Table::from_iter([(
        "crates-io".to_owned(),
        patched.collect::<toml::Table>().into(),
    )]);
    manifest.insert("patch".to_owned(), patch.into());
    let text = toml::to_string(&manifest).map_err(|error| said(&error))?;
    fs::write(&path, text).map_err(|error| said(&error))
}
