//! What every `Cargo.toml` must say, and which crate may depend on what.

use super::{Files, Finding};

/// Everything a published crate may depend on; a new edge is a decision, so it is made here too.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "crates/tokio-ctx/Cargo.toml",
        &[
            "spawn_scoped",
            "tokio-ctx-core",
            "tokio-ctx-db",
            "tokio-ctx-tower",
            "tokio-ctx-view",
        ],
    ),
    (
        "crates/tokio-ctx-core/Cargo.toml",
        &[
            "axum-core",
            "futures-core",
            "http",
            "loom",
            "pin-project",
            "pin-project-lite",
            "shuttle",
            "slab",
            "smallvec",
            "tokio",
            "tokio-util",
            "tracing",
        ],
    ),
    (
        "crates/spawn_scoped/Cargo.toml",
        &[
            "anyhow",
            "futures-core",
            "loom",
            "pin-project",
            "pin-project-lite",
            "serde",
            "shuttle",
            "tokio",
            "tokio-ctx-core",
            "tracing",
        ],
    ),
    (
        "crates/tokio-ctx-tower/Cargo.toml",
        &[
            "axum",
            "axum-core",
            "base64",
            "bytes",
            "fastrand",
            "http",
            "http-body",
            "humantime",
            "hyper",
            "hyper-util",
            "pin-project-lite",
            "reqwest",
            "spawn_scoped",
            "tokio",
            "tokio-ctx-core",
            "tonic",
            "tower-layer",
            "tower-service",
            "tracing",
        ],
    ),
    (
        "crates/tokio-ctx-db/Cargo.toml",
        &[
            "bytes",
            "deadpool-postgres",
            "futures-util",
            "rusqlite",
            "spawn_scoped",
            "sqlx",
            "tokio",
            "tokio-ctx-core",
            "tokio-postgres",
            "tracing",
        ],
    ),
    (
        "crates/cut-points/Cargo.toml",
        &[
            "cooked-waker",
            "serde_json",
            "tokio",
            "tokio-ctx-core",
            "tokio-util",
        ],
    ),
    (
        "crates/tokio-ctx-view/Cargo.toml",
        &[
            "bytes",
            "http",
            "http-body",
            "serde",
            "serde_json",
            "spawn_scoped",
            "tokio",
            "tokio-ctx-core",
            "tower-service",
            "tracing",
        ],
    ),
    (
        "crates/cargo-ctx-lint/Cargo.toml",
        &[
            "annotate-snippets",
            "proc-macro2",
            "serde",
            "serde_json",
            "syn",
            "toml",
        ],
    ),
];

/// Dependencies whose use in this project needs no word.
const OBVIOUS: &[&str] = &[
    "loom",
    "pin-project-lite",
    "proc-macro2",
    "serde",
    "serde_json",
    "shuttle",
    "spawn_scoped",
    "syn",
    "tokio",
    "tokio-ctx",
    "tokio-ctx-core",
    "tokio-ctx-db",
    "tokio-ctx-tower",
    "tracing",
];

pub(super) fn check(files: &Files, msrv: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members = files.iter().filter(|(path, text)| {
        (*path == "Cargo.toml" || path.ends_with("/Cargo.toml"))
            && text.lines().any(|line| line.trim() == "[package]")
            // What is a workspace of its own cannot take the lints of this one.
            && !text.lines().any(|line| line.trim() == "[workspace]")
    });
    for (path, text) in members {
        let manifest = Manifest::read(text);
        if !manifest
            .entries("lints")
            .any(|entry| entry.text == "workspace = true")
        {
            findings.push(Finding::new(path, 0, "does not take the workspace's lints"));
        }
        if manifest
            .entries("package")
            .any(|entry| entry.text == "publish = false")
        {
            continue;
        }
        dependencies(path, &manifest, &mut findings);
    }
    rust_version(files, msrv, &mut findings);
    findings
}

fn dependencies(path: &str, manifest: &Manifest<'_>, findings: &mut Vec<Finding>) {
    let allowed = ALLOWED.iter().find(|(crate_path, _)| *crate_path == path);
    let Some((_, allowed)) = allowed else {
        findings.push(Finding::new(
            path,
            0,
            "a published crate without a list of dependencies",
        ));
        return;
    };
    for entry in manifest.dependencies() {
        let name = entry.name();
        if !allowed.contains(&name) {
            let what = format!("`{name}` is not among the crate's allowed dependencies");
            findings.push(Finding::new(path, entry.line, what));
        }
        if !OBVIOUS.contains(&name) && !entry.explained {
            let what = format!("`{name}` has no comment that says what it is for");
            findings.push(Finding::new(path, entry.line, what));
        }
    }
}

/// One version everywhere it is written.
fn rust_version(files: &Files, msrv: &str, findings: &mut Vec<Finding>) {
    for (path, wanted) in [
        ("Cargo.toml", format!("rust-version = \"{msrv}\"")),
        ("README.md", format!("Rust {msrv}")),
    ] {
        if !files.get(path).is_some_and(|text| text.contains(&wanted)) {
            findings.push(Finding::new(path, 0, format!("does not say `{wanted}`")));
        }
    }
}

/// The lines of a manifest with their tables: as much TOML as the rules need.
struct Manifest<'a> {
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    table: &'a str,
    line: usize,
    /// Without a trailing comment.
    text: &'a str,
    /// A comment stands behind it or right above it.
    explained: bool,
}

impl<'a> Manifest<'a> {
    fn read(text: &'a str) -> Manifest<'a> {
        let mut entries = Vec::new();
        let mut table = "";
        let mut comment_above = false;
        // A value over several lines goes on until its brackets are closed.
        let mut open = 0;
        for (index, raw) in text.lines().enumerate() {
            let (text, comment) = match raw.split_once('#') {
                Some((text, comment)) => (text.trim(), !comment.trim().is_empty()),
                None => (raw.trim(), false),
            };
            if open == 0 && text.starts_with('[') {
                table = text.trim_matches(['[', ']']);
            } else if open == 0 && !text.is_empty() {
                let explained = comment || comment_above;
                entries.push(Entry {
                    table,
                    line: index + 1,
                    text,
                    explained,
                });
            }
            if !text.starts_with('[') || open > 0 {
                open += text.matches(['[', '{']).count();
                open -= text.matches([']', '}']).count().min(open);
            }
            comment_above = comment && text.is_empty();
        }
        Manifest { entries }
    }

    fn entries(&self, table: &str) -> impl Iterator<Item = &Entry<'a>> {
        self.entries
            .iter()
            .filter(move |entry| entry.table == table)
    }

    /// The dependencies that users build: not those of tests and build scripts.
    fn dependencies(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries
            .iter()
            .filter(|entry| entry.table == "dependencies" || entry.table.ends_with(".dependencies"))
    }
}

impl<'a> Entry<'a> {
    fn name(&self) -> &'a str {
        self.text.split(['=', '.', ' ']).next().unwrap_or(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    const ROOT: [(&str, &str); 2] = [
        (
            "Cargo.toml",
            "[workspace.package]\nrust-version = \"1.85\"\n",
        ),
        ("README.md", "It needs Rust 1.85.\n"),
    ];

    fn check_crate(path: &str, text: &str) -> Vec<Finding> {
        let mut all = ROOT.to_vec();
        all.push((path, text));
        check(&files(&all), "1.85")
    }

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        let without = "[package]\nname = \"a\"\npublish = false\n";
        assert_eq!(
            places(&check_crate("xtask/Cargo.toml", without)),
            ["xtask/Cargo.toml:0"]
        );
        let with = format!("{without}[lints]\nworkspace = true\n");
        assert_eq!(check_crate("xtask/Cargo.toml", &with), []);
        let own = with.replace("workspace = true", "unsafe_code = \"allow\"");
        assert_eq!(
            places(&check_crate("xtask/Cargo.toml", &own)),
            ["xtask/Cargo.toml:0"]
        );
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let head = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n[dependencies]\n";
        let path = "crates/tokio-ctx-core/Cargo.toml";
        let bare = format!("{head}tokio.workspace = true\nslab = \"0.4\"\n");
        assert_eq!(places(&check_crate(path, &bare)), [format!("{path}:7")]);
        let behind = format!("{head}slab = \"0.4\" # the callbacks\n");
        assert_eq!(check_crate(path, &behind), []);
        let above = format!("{head}# The callbacks.\nslab = \"0.4\"\n");
        assert_eq!(check_crate(path, &above), []);
        let elsewhere = format!("{head}# About tokio.\ntokio = \"1\"\nslab = \"0.4\"\n");
        assert_eq!(
            places(&check_crate(path, &elsewhere)),
            [format!("{path}:8")]
        );
    }

    #[test]
    fn a_dependency_that_was_not_decided_is_found() {
        let path = "crates/tokio-ctx-core/Cargo.toml";
        let text = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n\
                    [target.'cfg(loom)'.dependencies]\n\
                    hyper = \"1\" # a reason alone does not do\n";
        assert_eq!(places(&check_crate(path, text)), [format!("{path}:6")]);
        let dev = text.replace("dependencies", "dev-dependencies");
        assert_eq!(check_crate(path, &dev), []);
    }

    #[test]
    fn a_published_crate_nobody_decided_on_is_found() {
        let path = "crates/new/Cargo.toml";
        let text = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        assert_eq!(places(&check_crate(path, text)), [format!("{path}:0")]);
    }

    #[test]
    fn a_value_over_several_lines_is_one_entry() {
        let text = "[dependencies]\ntokio = { version = \"1\", features = [\n  \"rt\",\n] }\nslab = \"1\"\n";
        let manifest = Manifest::read(text);
        let names: Vec<_> = manifest.dependencies().map(Entry::name).collect();
        assert_eq!(names, ["tokio", "slab"]);
    }

    #[test]
    fn a_second_rust_version_is_found() {
        let found = check(&files(&ROOT), "1.86");
        assert_eq!(places(&found), ["Cargo.toml:0", "README.md:0"]);
        assert_eq!(check(&files(&ROOT), "1.85"), []);
    }
}
