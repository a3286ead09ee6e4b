//! Nothing in the project belongs to one machine: no absolute path, no private package registry.

use super::{Files, Finding};

/// Where people's own directories are.
const PLACES: &[&str] = &["/home/", "/root/", "/Users/"];

/// What gives a private or mirrored package registry away.
const REGISTRIES: &[&str] = &[
    "sparse+http",
    "replace-with",
    "artifactory",
    "index-url",
    "GOPROXY=",
    "registry/src/",
];

/// `root` is where the project lies on this machine.
pub(super) fn check(files: &Files, root: &str) -> Vec<Finding> {
    let root = format!("{}/", root.trim_end_matches('/'));
    let places: Vec<&str> = PLACES
        .iter()
        .copied()
        .chain([root.as_str()])
        .filter(|place| *place != "/")
        .collect();
    let mut findings = Vec::new();
    // This file has to name what it looks for.
    for (path, text) in files
        .iter()
        .filter(|(path, _)| !path.ends_with("tidy/machine.rs"))
    {
        for (index, line) in text.lines().enumerate() {
            let mut report = |what: String| findings.push(Finding::new(path, index + 1, what));
            if let Some(place) = places.iter().find(|place| names_path(line, place)) {
                report(format!("an absolute path of one machine: {place}"));
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

/// Whether `line` has `path` where a path begins, so not as a later part of a path or a URL.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-./*}~$:".contains(c))
            || line[..at].ends_with("file://")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        places(&check(&files(&[(path, text)]), "/srv/project"))
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = "fine\nsee /home/me/notes\nopen(\"/root/x\")\nfile:///Users/me/a\n";
        let lines = ["docs/a.md:2", "docs/a.md:3", "docs/a.md:4"];
        assert_eq!(found("docs/a.md", text), lines);
        assert_eq!(found("a.rs", "a\n// see /srv/project/b\n"), ["a.rs:2"]);
    }

    #[test]
    fn parts_of_other_paths_and_urls_are_not_paths_of_a_machine() {
        let text = "https://example.com/home/index.html\ncrates/home/src\n../root/x\n/v1/users/\n";
        assert_eq!(found("docs/a.md", text), [""; 0]);
    }

    #[test]
    fn a_private_registry_is_found() {
        let text = "[source.crates-io]\nreplace-with = \"mirror\"\n";
        assert_eq!(found(".cargo/config.toml", text), [".cargo/config.toml:2"]);
    }

    #[test]
    fn a_locked_package_from_elsewhere_is_found() {
        let text = format!("source = {CRATES_IO}\nsource = \"git+https://example.com/x\"\n");
        assert_eq!(found("Cargo.lock", &text), ["Cargo.lock:2"]);
    }
}
