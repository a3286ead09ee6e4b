//! Nothing in the project belongs to one machine: no absolute path, no private package registry.

use super::{Files, Finding};

/// First parts of paths that exist on somebody's machine only.
const PLACES: &[&str] = &[
    "home",
    "root",
    "Users",
    "work",
    "workspace",
    "builds",
    "opt",
    "mnt",
];

/// What gives a private or mirrored package registry away.
const REGISTRIES: &[&str] = &[
    "sparse+http",
    "replace-with",
    "artifactory",
    "index-url",
    "GOPROXY=",
    "registry/src/",
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    // This file has to name what it looks for.
    for (path, text) in files
        .iter()
        .filter(|(path, _)| !path.ends_with("tidy/machine.rs"))
    {
        for (index, line) in text.lines().enumerate() {
            let mut report = |what: String| findings.push(Finding::new(path, index + 1, what));
            if let Some(place) = PLACES.iter().find(|place| names_path(line, place)) {
                report(format!("an absolute path of one machine: /{place}/"));
            }
            if let Some(word) = REGISTRIES.iter().find(|word| line.contains(**word)) {
                report(format!("a package registry of one machine: `{word}`"));
            }
            if path == "Cargo.lock" && line.starts_with("source = ") && !line.contains(CRATES_IO) {
                report("a dependency from elsewhere than crates.io".to_owned());
            }
        }
    }
    findings
}

const CRATES_IO: &str = "\"registry+https://github.com/rust-lang/crates.io-index\"";

/// Whether `line` has `/place/` where a path begins, so not as a later part of a path or a URL.
fn names_path(line: &str, place: &str) -> bool {
    let path = format!("/{place}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-./*}~$:".contains(c))
            || line[..at].ends_with("file://")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = "fine\nsee /home/me/notes\nopen(\"/root/x\")\nfile:///Users/me/a\n";
        let found = check(&files(&[("docs/a.md", text)]));
        assert_eq!(
            places(&found),
            ["docs/a.md:2", "docs/a.md:3", "docs/a.md:4"]
        );
    }

    #[test]
    fn parts_of_other_paths_and_urls_are_not_paths_of_a_machine() {
        let text =
            "https://example.com/home/index.html\ncrates/work/src\n../root/x\n/v1/users/home\n";
        assert_eq!(check(&files(&[("docs/a.md", text)])), []);
    }

    #[test]
    fn a_private_registry_is_found() {
        let text = "[source.crates-io]\nreplace-with = \"mirror\"\n";
        assert_eq!(
            places(&check(&files(&[(".cargo/config.toml", text)]))),
            [".cargo/config.toml:2"]
        );
    }

    #[test]
    fn a_locked_package_from_elsewhere_is_found() {
        let text = format!("source = {CRATES_IO}\nsource = \"git+https://example.com/x\"\n");
        assert_eq!(
            places(&check(&files(&[("Cargo.lock", &text)]))),
            ["Cargo.lock:2"]
        );
    }
}
