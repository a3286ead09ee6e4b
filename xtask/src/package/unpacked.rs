//! The packages as a user gets them, unpacked beside each other in a directory of their own.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::Package;
use crate::workspace::Workspace;

/// The directory that holds them, which is a workspace of its own.
///
/// It is outside of the target directory, since tests that compare what the compiler says take
/// paths in there for their own; and each workspace has its own.
pub(super) fn directory(workspace: &Workspace) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    workspace.root().hash(&mut hasher);
    let name = format!("tokio-ctx-packages-{:016x}", hasher.finish());
    std::env::temp_dir().join(name)
}

/// Unpacks what cargo packed, and lets the packages find each other without a registry.
pub(super) fn unpack(workspace: &Workspace, packages: &[Package]) -> Result<(), String> {
    let directory = directory(workspace);
    unpack_for_users(workspace, packages, &directory)?;
    for package in packages {
        put_back(
            &directory.join(package.stem()).join("Cargo.toml"),
            package,
            packages,
        )?;
    }
    Ok(())
}

/// The same in a directory of the caller's, without what only the tests of a package need.
pub(crate) fn unpack_for_users(
    workspace: &Workspace,
    packages: &[Package],
    directory: &Path,
) -> Result<(), String> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|error| said(directory, &error))?;
    }
    fs::create_dir_all(directory).map_err(|error| said(directory, &error))?;
    for package in packages {
        let file = workspace
            .target()
            .join("package")
            .join(format!("{}.crate", package.stem()));
        // With the time of now (`m`), or cargo takes what it built from the last package for this one.
        // `tar` is part of every system that Rust is developed on, Windows included.
        let status = Command::new("tar")
            .arg("-xmzf")
            .arg(&file)
            .arg("-C")
            .arg(directory)
            .status()
            .map_err(|error| format!("tar did not start: {error}"))?;
        if !status.success() {
            return Err(format!("tar could not unpack {}", file.display()));
        }
    }
    let manifest = manifest(workspace, packages)?;
    write(&directory.join("Cargo.toml"), &manifest)?;
    // The same dependencies as the workspace's, so that nothing is downloaded.
    fs::copy(
        workspace.root().join("Cargo.lock"),
        directory.join("Cargo.lock"),
    )
    .map_err(|error| format!("Cargo.lock: {error}"))?;
    Ok(())
}

/// The files of an unpacked package, relative to it.
pub(super) fn files(workspace: &Workspace, package: &Package) -> Result<Vec<String>, String> {
    let root = directory(workspace).join(package.stem());
    let mut files = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| said(&directory, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| said(&directory, &error))?.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(inside) = path.strip_prefix(&root) {
                files.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The examples in the documentation import the door by path, which cargo takes out of the
/// package: a crate cannot ask the registry for one that is published after it. To run
/// the tests of a package, put it back, as this does.
fn put_back(manifest: &Path, package: &Package, packages: &[Package]) -> Result<(), String> {
    if package.stripped.is_empty() {
        return Ok(());
    }
    let mut text = fs::read_to_string(manifest).map_err(|error| said(manifest, &error))?;
    for (name, features) in &package.stripped {
        let Some(other) = packages.iter().find(|other| other.name == *name) else {
            return Err(format!(
                "{} is tested with {name}, which is not published",
                package.name
            ));
        };
        text += &format!(
            "\n[dev-dependencies.{name}]\npath = \"../{}\"\nfeatures = {features:?}\n",
            other.stem()
        );
    }
    write(manifest, &text)
}

/// A workspace of the unpacked packages: each other's dependencies are patched to them, and the
/// profiles are ours, so that what is built already is not built again.
fn manifest(workspace: &Workspace, packages: &[Package]) -> Result<String, String> {
    let ours = workspace.root().join("Cargo.toml");
    let text = fs::read_to_string(&ours).map_err(|error| said(&ours, &error))?;
    let ours: toml::Table = toml::from_str(&text).map_err(|error| error.to_string())?;
    let mut manifest = toml::Table::new();
    let members = packages.iter().map(|package| package.stem().into());
    let workspace_table = toml::Table::from_iter([
        ("resolver".to_owned(), "3".into()),
        ("members".to_owned(), toml::Value::Array(members.collect())),
    ]);
    manifest.insert("workspace".to_owned(), workspace_table.into());
    let patched = packages.iter().map(|package| {
        let path = toml::Table::from_iter([("path".to_owned(), package.stem().into())]);
        (package.name.clone(), toml::Value::Table(path))
    });
    let patch = toml::Table::from_iter([(
        "crates-io".to_owned(),
        toml::Value::Table(patched.collect()),
    )]);
    manifest.insert("patch".to_owned(), patch.into());
    if let Some(profiles) = ours.get("profile") {
        manifest.insert("profile".to_owned(), profiles.clone());
    }
    toml::to_string(&manifest).map_err(|error| error.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| said(path, &error))
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
