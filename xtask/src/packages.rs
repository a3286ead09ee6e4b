//! The packages that users get from the registry, and the order in which they can be published.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::workspace::Workspace;

/// One published package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The directory of its manifest, relative to the root.
    pub(crate) directory: String,
    /// Whether it is a library, which docs.rs documents.
    pub(crate) is_library: bool,
    /// What it needs of the other published ones to build.
    pub(crate) needs: Vec<String>,
    /// What its tests and examples need of them by path alone, with the features asked for:
    /// cargo takes such a dependency out of the package.
    pub(crate) stripped: Vec<(String, Vec<String>)>,
    /// What its tests need of them by version: it would have to be published before.
    pub(crate) tested_with: Vec<String>,
    /// Its manifest as cargo understands it.
    pub(crate) metadata: Value,
}

impl Package {
    /// The features of its manifest.
    pub(crate) fn features(&self) -> impl Iterator<Item = &str> {
        let features = self.metadata["features"].as_object();
        features
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
    }

    /// The name of the file that cargo packs, without its ending.
    pub(crate) fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// The published packages, each behind all that it needs.
pub(crate) fn published(workspace: &Workspace) -> Result<Vec<Package>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(workspace.root())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read what `cargo metadata` says: {error}"))?;
    in_order(read(&metadata))
}

fn read(metadata: &Value) -> Vec<Package> {
    let root = text(&metadata["workspace_root"]);
    let published: Vec<&Value> = list(&metadata["packages"])
        .filter(|package| package["publish"] != Value::Array(Vec::new()))
        .collect();
    let is_published = |name: &str| published.iter().any(|other| other["name"] == *name);
    let of_kind = |package: &Value, dev: bool| -> Vec<Value> {
        list(&package["dependencies"])
            .filter(|dependency| (dependency["kind"] == "dev") == dev)
            .filter(|dependency| is_published(&text(&dependency["name"])))
            .cloned()
            .collect()
    };
    let names = |dependencies: &[Value]| -> Vec<String> {
        let names = dependencies
            .iter()
            .map(|dependency| text(&dependency["name"]));
        names.collect()
    };
    published
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]).replace('\\', "/");
            let directory = manifest.trim_end_matches("/Cargo.toml");
            let directory = directory.strip_prefix(&root.replace('\\', "/"));
            let (stripped, kept): (Vec<Value>, Vec<Value>) = of_kind(package, true)
                .into_iter()
                .partition(|dependency| dependency["req"] == "*");
            // Named more than once where a target asks for more features.
            let mut of_tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for dependency in &stripped {
                let features = of_tests.entry(text(&dependency["name"])).or_default();
                features.extend(list(&dependency["features"]).map(text));
            }
            Package {
                name: text(&package["name"]),
                version: text(&package["version"]),
                directory: directory.unwrap_or_default().trim_matches('/').to_owned(),
                is_library: list(&package["targets"])
                    .any(|target| list(&target["kind"]).any(|kind| kind == "lib")),
                needs: names(&of_kind(package, false)),
                stripped: of_tests.into_iter().collect(),
                tested_with: names(&kept),
                metadata: (*package).clone(),
            }
        })
        .collect()
}

/// Sorts packages so that each follows what it needs.
fn in_order(mut open: Vec<Package>) -> Result<Vec<Package>, String> {
    let mut sorted: Vec<Package> = Vec::new();
    while !open.is_empty() {
        let is_there = |name: &String| sorted.iter().any(|package| package.name == *name);
        let next = open.iter().position(|package| {
            package
                .needs
                .iter()
                .chain(&package.tested_with)
                .all(is_there)
        });
        let Some(next) = next else {
            let names: Vec<_> = open.iter().map(|package| package.name.as_str()).collect();
            return Err(format!(
                "no order of publication: {} need each other (a dependency of tests alone may be \
                 by path without a version)",
                names.join(", ")
            ));
        };
        sorted.push(open.remove(next));
    }
    Ok(sorted)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the tests of the verbs are written with.
#[cfg(test)]
pub(crate) mod testing {
    use super::Package;

    /// A library of that name, with these features in this order.
    pub(crate) fn package(name: &str, rust_version: &str, features: &[&str]) -> Package {
        let named = features
            .iter()
            .map(|name| ((*name).to_owned(), serde_json::json!([])));
        let features: serde_json::Map<_, _> = named.collect();
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            directory: format!("crates/{name}"),
            is_library: true,
            needs: Vec::new(),
            stripped: Vec::new(),
            tested_with: Vec::new(),
            metadata: serde_json::json!({ "rust_version": rust_version, "features": features }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: Value) -> Value {
        json!({
            "name": name, "version": "0.1.0", "publish": null,
            "manifest_path": format!("/w/crates/{name}/Cargo.toml"),
            "targets": [{ "kind": ["lib"] }], "dependencies": dependencies,
        })
    }

    fn sorted(packages: Vec<Value>) -> Result<Vec<String>, String> {
        let metadata = json!({ "workspace_root": "/w", "packages": packages });
        let sorted = in_order(read(&metadata))?;
        Ok(sorted.into_iter().map(|package| package.name).collect())
    }

    #[test]
    fn a_package_follows_what_it_needs() {
        let door = package(
            "door",
            json!([{ "name": "core", "kind": null, "req": "^0.1" }]),
        );
        let core = package(
            "core",
            json!([{ "name": "door", "kind": "dev", "req": "*", "features": ["axum"] }]),
        );
        assert_eq!(
            sorted(vec![door, core.clone()]).expect("an order"),
            ["core", "door"]
        );
        let read = read(
            &json!({ "workspace_root": "/w", "packages": [core, package("door", json!([]))] }),
        );
        assert_eq!(
            read[0].stripped,
            [("door".to_owned(), vec!["axum".to_owned()])]
        );
        assert_eq!(read[0].directory, "crates/core");
    }

    #[test]
    fn packages_that_need_each_other_have_no_order() {
        let door = package(
            "door",
            json!([{ "name": "core", "kind": null, "req": "^0.1" }]),
        );
        let core = package(
            "core",
            json!([{ "name": "door", "kind": "dev", "req": "^0.1" }]),
        );
        let error = sorted(vec![door, core]).expect_err("a circle");
        assert!(error.contains("door, core need each other"), "{error}");
    }

    #[test]
    fn what_is_not_published_is_left_out() {
        let mut tool = package("tool", json!([]));
        tool["publish"] = json!([]);
        assert_eq!(sorted(vec![tool]).expect("an order"), [""; 0]);
    }
}
