//! What a package must hold and say, so that the registry takes it and a stranger can use it.

use serde_json::Value;

use crate::packages::{Package, list, text};

/// The registry refuses longer keywords, and more of them.
const KEYWORD_LENGTH: usize = 20;
const KEYWORDS: usize = 5;

/// The copies of the licences that each package holds.
pub(super) const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// What is wrong with a package, by what its manifest says and which files were packed.
pub(super) fn faults(package: &Package, files: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let said = &package.metadata;
    for field in [
        "description",
        "license",
        "repository",
        "readme",
        "rust_version",
    ] {
        if text(&said[field]).is_empty() {
            faults.push(format!("its manifest has no `{}`", field.replace('_', "-")));
        }
    }
    faults.extend(keywords(&said["keywords"]));
    if list(&said["categories"]).count() == 0 {
        faults.push("its manifest has no `categories`".to_owned());
    }
    let mut needed: Vec<String> = LICENCES.map(str::to_owned).to_vec();
    needed.push("Cargo.lock".to_owned());
    needed.push(text(&said["readme"]));
    for file in needed.iter().filter(|file| !file.is_empty()) {
        if !files.contains(file) {
            faults.push(format!("`{file}` is not in it"));
        }
    }
    for target in list(&said["targets"]) {
        let kind = list(&target["kind"]).next().map(text).unwrap_or_default();
        let path = text(&target["src_path"]).replace('\\', "/");
        let packed = files.iter().any(|file| path.ends_with(&format!("/{file}")));
        if !packed && kind != "custom-build" {
            faults.push(format!(
                "its {kind} `{}` is not in it",
                text(&target["name"])
            ));
        }
    }
    if package.is_library {
        faults.extend(docs_rs(&said["metadata"]["docs"]["rs"]));
    }
    faults
}

fn keywords(keywords: &Value) -> Vec<String> {
    let words: Vec<String> = list(keywords).map(text).collect();
    let mut faults = Vec::new();
    if words.is_empty() || words.len() > KEYWORDS {
        faults.push(format!(
            "{} keywords; the registry takes 1 to {KEYWORDS}",
            words.len()
        ));
    }
    for word in words {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
        let starts = word
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        if word.len() > KEYWORD_LENGTH || !starts || !word.chars().all(plain) {
            faults.push(format!(
                "the registry refuses the keyword `{word}` ({} characters, {KEYWORD_LENGTH} are allowed)",
                word.len()
            ));
        }
    }
    faults
}

fn docs_rs(said: &Value) -> Option<String> {
    let shows = said["all-features"] == true || list(&said["features"]).next().is_some();
    (!shows).then(|| {
        "`[package.metadata.docs.rs]` names no features, so half of it would not be shown"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(metadata: Value) -> Package {
        Package {
            name: "core".to_owned(),
            version: "0.1.0".to_owned(),
            directory: "crates/core".to_owned(),
            is_library: true,
            needs: Vec::new(),
            stripped: Vec::new(),
            tested_with: Vec::new(),
            metadata,
        }
    }

    fn good() -> Value {
        json!({
            "description": "d", "license": "MIT", "repository": "r", "readme": "README.md",
            "rust_version": "1.85", "keywords": ["context"], "categories": ["asynchronous"],
            "metadata": { "docs": { "rs": { "all-features": true } } },
            "targets": [
                { "kind": ["lib"], "name": "core", "src_path": "/w/crates/core/src/lib.rs" },
                { "kind": ["test"], "name": "it", "src_path": "/w/crates/core/tests/it/main.rs" },
            ],
        })
    }

    const FILES: [&str; 6] = [
        "Cargo.lock",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "src/lib.rs",
        "tests/it/main.rs",
    ];

    fn check(said: Value, without: &str) -> Vec<String> {
        let files = FILES.iter().filter(|file| **file != without);
        let files: Vec<String> = files.map(|file| (*file).to_owned()).collect();
        faults(&package(said), &files)
    }

    #[test]
    fn a_complete_package_has_no_faults() {
        assert_eq!(check(good(), ""), [""; 0]);
    }

    #[test]
    fn each_missing_file_is_named() {
        for file in FILES {
            let faults = check(good(), file);
            assert_eq!(faults.len(), 1, "{file}: {faults:?}");
            assert!(faults[0].ends_with("is not in it"), "{faults:?}");
        }
    }

    #[test]
    fn a_keyword_that_the_registry_refuses_is_named() {
        let mut said = good();
        said["keywords"] = json!(["structured-concurrency"]);
        let faults = check(said.clone(), "");
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].contains("`structured-concurrency` (22 characters"),
            "{faults:?}"
        );
        said["keywords"] = json!(["a", "b", "c", "d", "e", "f"]);
        assert_eq!(check(said, ""), ["6 keywords; the registry takes 1 to 5"]);
    }

    #[test]
    fn each_missing_field_is_named() {
        for field in [
            "description",
            "license",
            "repository",
            "rust_version",
            "categories",
            "metadata",
        ] {
            let mut said = good();
            said[field] = Value::Null;
            assert_eq!(check(said, "").len(), 1, "{field}");
        }
    }
}
