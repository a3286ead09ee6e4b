//! What a program gets with `cargo add tokio-ctx`: few packages, none of them for HTTP, and no
//! model checker.

use std::collections::BTreeSet;
use std::process::Command;

use super::Finding;
use crate::workspace::Workspace;

/// Packages in the lock file beyond tokio and what tokio needs, our own included.
const PACKAGES: usize = 15;

/// What programs get with a feature, or under `--cfg loom`, and never unasked.
const UNASKED: [&str; 8] = [
    "axum", "h2", "http", "hyper", "loom", "shuttle", "tonic", "tower",
];

const MANIFEST: &str = "crates/tokio-ctx/Cargo.toml";

/// For all targets, as a lock file has it.
const LINE: &str =
    "tree -p tokio-ctx --edges normal,build --target all --no-dedupe --prefix depth --format {p}";

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let output = Command::new("cargo")
        .args(LINE.split(' '))
        .current_dir(workspace.root())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    match output.status.success() {
        true => Ok(findings(&String::from_utf8_lossy(&output.stdout))),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn findings(tree: &str) -> Vec<Finding> {
    let (beyond, of_tokio) = packages(tree);
    let mut findings = Vec::new();
    for name in &beyond {
        let is_unasked = |unasked: &&str| {
            // Families of crates: tower-layer, http-body, axum-core.
            let rest = name.strip_prefix(*unasked);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        if UNASKED.iter().any(is_unasked) {
            let what = format!("`{name}` comes with the default features");
            findings.push(Finding::new(MANIFEST, 0, what));
        }
    }
    let more: Vec<&str> = beyond.difference(&of_tokio).copied().collect();
    if more.len() > PACKAGES {
        let what = format!(
            "{} packages more than tokio's own; {PACKAGES} are allowed: {}",
            more.len(),
            more.join(", ")
        );
        findings.push(Finding::new(MANIFEST, 0, what));
    }
    findings
}

/// The packages outside of tokio's branches of the tree, and those inside, tokio included.
fn packages(tree: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut beyond, mut of_tokio) = (BTreeSet::new(), BTreeSet::new());
    // The depth of the tokio whose branch this is.
    let mut tokio: Option<usize> = None;
    for line in tree.lines() {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth: usize = line[..line.len() - name.len()].parse().unwrap_or(0);
        let name = name.split(' ').next().unwrap_or_default();
        if tokio.is_some_and(|of| depth <= of) {
            tokio = None;
        }
        if name == "tokio" {
            tokio = Some(depth);
        }
        match tokio {
            Some(_) => of_tokio.insert(name),
            None => beyond.insert(name),
        };
    }
    (beyond, of_tokio)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0tokio-ctx v0.1.0 (crates/tokio-ctx)\n1tokio v1.54.1\n2mio v1.2.0\n\
        3windows-sys v0.61.0\n2pin-project-lite v0.2.17\n1tracing v0.1.44\n\
        2pin-project-lite v0.2.17\n";

    fn found(tree: &str) -> Vec<String> {
        findings(tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_tokio_needs_is_not_counted() {
        let (beyond, of_tokio) = packages(TREE);
        let more: Vec<_> = beyond.difference(&of_tokio).collect();
        assert_eq!(more, [&"tokio-ctx", &"tracing"]);
        assert_eq!(found(TREE), [""; 0]);
    }

    #[test]
    fn a_package_for_http_is_found_and_so_is_a_model_checker() {
        let tree = format!("{TREE}1http-body v1.0.1\n2http v1.4.0\n1loom v0.7.2\n1h2o v1.0.0\n");
        let wanted = ["http", "http-body", "loom"];
        let wanted =
            wanted.map(|name| format!("{MANIFEST}:0: `{name}` comes with the default features"));
        assert_eq!(found(&tree), wanted);
    }

    #[test]
    fn too_many_packages_are_found() {
        let more = |num: usize| {
            (0..num)
                .map(|n| format!("1p{n} v1.0.0\n"))
                .collect::<String>()
        };
        assert_eq!(found(&(TREE.to_owned() + &more(13))), [""; 0]);
        let findings = found(&(TREE.to_owned() + &more(14)));
        assert!(
            findings[0].contains(": 16 packages more than tokio's own; 15 are allowed: p0, p1")
        );
    }
}
