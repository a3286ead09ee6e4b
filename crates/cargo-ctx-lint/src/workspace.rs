//! Which files there are: the packages of a workspace from `cargo metadata`, and every
//! `.rs` file in their source directories.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::config::{self, Config};
use crate::resolve::PackageNames;
use crate::source::{Class, Entry};

/// The files to read, and what the manifests say about names.
pub(crate) struct Workspace {
    /// The files, in the order of reports.
    pub(crate) entries: Vec<Entry>,
    /// Names of dependencies, by package.
    pub(crate) packages: HashMap<String, PackageNames>,
    /// Crate keys of libraries, by the name code uses.
    pub(crate) libraries: HashMap<String, String>,
    /// The configuration, packages included.
    pub(crate) config: Config,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    rename: Option<String>,
}

/// Reads the workspace around a manifest, or around the current directory. `rules` are the
/// names that a configuration may use.
pub(crate) fn discover(
    manifest: Option<&Path>,
    packages: &[String],
    config: Option<&Path>,
    rules: &[&'static str],
) -> Result<Workspace, String> {
    let metadata = metadata(manifest)?;
    let root = &metadata.workspace_root;
    let mut found = Workspace {
        entries: Vec::new(),
        packages: HashMap::new(),
        libraries: HashMap::new(),
        config: read_config(config, root, rules)?,
    };
    let members: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .collect();
    if let Some(unknown) = packages
        .iter()
        .find(|name| !members.iter().any(|m| m.name == **name))
    {
        return Err(format!("the workspace has no package `{unknown}`"));
    }
    for package in members {
        // Names are needed from every package, files only from those asked for.
        found.add_names(package);
        if packages.is_empty() || packages.contains(&package.name) {
            found.add_files(package, root, rules)?;
        }
    }
    found.entries.sort_by(|a, b| a.shown.cmp(&b.shown));
    found.entries.dedup_by(|a, b| a.shown == b.shown);
    let Workspace {
        entries, config, ..
    } = &mut found;
    entries.retain(|entry| !config.is_excluded(&entry.shown));
    Ok(found)
}

/// Reads single files and directories, without any manifest.
pub(crate) fn loose(
    paths: &[PathBuf],
    config: Option<&Path>,
    rules: &[&'static str],
) -> Result<Workspace, String> {
    let config = read_config(config, Path::new(""), rules)?;
    let mut entries = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        if path.is_dir() {
            walk(path, true, &mut files)?;
        } else {
            files.push(path.clone());
        }
        for file in files {
            let shown = shown(&file, Path::new(""));
            let class = class_of(&shown);
            let module = vec![format!("#{shown}")];
            entries.push(Entry {
                path: file,
                shown,
                package: String::new(),
                module,
                class,
            });
        }
    }
    entries.retain(|entry| !config.is_excluded(&entry.shown));
    Ok(Workspace {
        entries,
        packages: HashMap::new(),
        libraries: HashMap::new(),
        config,
    })
}

fn metadata(manifest: Option<&Path>) -> Result<Metadata, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot run `cargo metadata`: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`cargo metadata` failed\n{}", why.trim_end()));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read what `cargo metadata` says: {error}"))
}

fn read_config(
    named: Option<&Path>,
    root: &Path,
    rules: &[&'static str],
) -> Result<Config, String> {
    if let Some(path) = named {
        return Config::read(path, "", rules);
    }
    let path = root.join(config::FILE);
    if path.is_file() {
        Config::read(&path, "", rules)
    } else {
        Ok(Config::default())
    }
}

impl Workspace {
    fn add_names(&mut self, package: &Package) {
        let renamed = package.dependencies.iter().filter_map(|dependency| {
            let rename = dependency.rename.as_ref()?;
            Some((rename.replace('-', "_"), dependency.name.replace('-', "_")))
        });
        let names = PackageNames {
            renames: renamed.collect(),
        };
        self.packages.insert(package.name.clone(), names);
        let is_library = |target: &&Target| {
            target
                .kind
                .iter()
                .any(|kind| kind.ends_with("lib") || kind == "proc-macro")
        };
        if let Some(library) = package.targets.iter().find(is_library) {
            self.libraries
                .insert(library.name.replace('-', "_"), format!("{}#", package.name));
        }
    }

    fn add_files(
        &mut self,
        package: &Package,
        root: &Path,
        rules: &[&'static str],
    ) -> Result<(), String> {
        let Some(home) = package.manifest_path.parent() else {
            return Ok(());
        };
        let prefix = shown(home, root);
        let config = home.join(config::FILE);
        if home != root && config.is_file() {
            let config_of_package = Config::read(&config, &prefix, rules)?;
            self.config
                .merge(config_of_package)
                .map_err(|error| format!("{}: {error}", config.display()))?;
        }
        let mut directories: Vec<PathBuf> = ["src", "tests", "examples", "benches"]
            .iter()
            .map(|name| home.join(name))
            .collect();
        let mut files = Vec::new();
        for target in &package.targets {
            match target.src_path.parent() {
                Some(parent) if parent != home => directories.push(parent.to_path_buf()),
                _ => files.push(target.src_path.clone()),
            }
        }
        directories.sort();
        directories.dedup();
        // A directory inside another one is walked with it.
        let all = directories.clone();
        directories.retain(|dir| {
            !all.iter()
                .any(|other| other != dir && dir.starts_with(other))
        });
        for directory in directories.iter().filter(|directory| directory.is_dir()) {
            walk(directory, true, &mut files)?;
        }
        for file in files {
            let inside = shown(&file, home);
            let class = class_in_package(&inside, &file, package);
            let module = module_path(&package.name, &inside, home.join("src/lib.rs").is_file());
            let shown = shown(&file, root);
            self.entries.push(Entry {
                path: file,
                shown,
                package: package.name.clone(),
                module,
                class,
            });
        }
        Ok(())
    }
}

/// Collects the `.rs` files below a directory. Hidden directories, `target`, and other
/// packages are not entered.
fn walk(directory: &Path, top: bool, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !top && directory.join("Cargo.toml").is_file() {
        return Ok(());
    }
    let failed = |error| format!("cannot list {}: {error}", directory.display());
    let listing = std::fs::read_dir(directory).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in listing {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        // Links to directories are not followed: they may lead in circles.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&entry.path(), false, files)?;
        } else if name.ends_with(".rs") {
            paths.push(entry.path());
        }
    }
    files.extend(paths);
    Ok(())
}

fn shown(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

fn class_in_package(inside: &str, file: &Path, package: &Package) -> Class {
    let target = package
        .targets
        .iter()
        .find(|target| target.src_path == file);
    match target
        .and_then(|target| target.kind.first())
        .map(String::as_str)
    {
        Some("custom-build") => Class::Build,
        Some("test") => Class::Test,
        Some("bench") => Class::Bench,
        Some("example") => Class::Example,
        _ => class_of(inside),
    }
}

/// What a path says about the code in it.
fn class_of(inside: &str) -> Class {
    let (directories, file) = inside.rsplit_once('/').unwrap_or(("", inside));
    for directory in directories.split('/') {
        match directory {
            "tests" => return Class::Test,
            "benches" => return Class::Bench,
            "examples" => return Class::Example,
            _ => {}
        }
    }
    match file {
        "build.rs" if directories.is_empty() => Class::Build,
        "tests.rs" => Class::Test,
        _ => Class::Source,
    }
}

/// The crate and module that a file of a package is, by the usual layout.
fn module_path(package: &str, inside: &str, has_lib: bool) -> Vec<String> {
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let parts: Vec<&str> = stem.split('/').collect();
    let (root, modules): (String, &[&str]) = match parts.as_slice() {
        ["src", "lib"] => (format!("{package}#"), &[]),
        ["src", "main"] if has_lib => (format!("{package}#main"), &[]),
        ["src", "main"] => (format!("{package}#"), &[]),
        ["src", "bin", name, modules @ ..] => (format!("{package}#bin/{name}"), modules),
        ["src", modules @ ..] => (format!("{package}#"), modules),
        [kind, name, modules @ ..] => (format!("{package}#{kind}/{name}"), modules),
        _ => (format!("{package}#{stem}"), &[]),
    };
    let modules = match modules {
        [modules @ .., "mod" | "main"] => modules,
        modules => modules,
    };
    let mut path = vec![root];
    path.extend(modules.iter().map(|module| (*module).to_owned()));
    path
}
