//! What keeps the models honest: one seam to the platform, and kernels that see nothing else.
//!
//! Loom explores only what goes through the seam, so a kernel that reached past it would be
//! checked less than it seems.

use super::{Files, Finding};

/// The crates that are built under `--cfg loom`.
const MODELLED: &[&str] = &["crates/tokio-ctx-core/src/", "crates/spawn_scoped/src/"];

/// Where a crate may ask which back end it has; `lib.rs` gates whole modules.
const SEAMS: &[&str] = &["sync/", "sync.rs", "rt/", "rt.rs", "lib.rs"];

/// The files whose protocols are explored.
const KERNELS: &[&str] = &[
    "crates/tokio-ctx-core/src/node",
    "crates/spawn_scoped/src/kernel/",
];

/// What loom cannot see. `Arc` and `Weak` are the standard library's everywhere.
const UNSEEN: &[&str] = &[
    "tokio::",
    "tokio_util::",
    "std::thread",
    "std::time::Instant",
    "sync::Mutex",
    "sync::RwLock",
    "sync::Condvar",
    "sync::Once",
    "sync::atomic",
    "sync::mpsc",
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.ending(".rs") {
        let inside = MODELLED.iter().find_map(|src| path.strip_prefix(src));
        let Some(inside) = inside else { continue };
        let is_seam = SEAMS.iter().any(|seam| inside.starts_with(seam));
        let is_kernel = KERNELS.iter().any(|kernel| path.starts_with(kernel));
        for (index, line) in code(text) {
            let mut report = |what: &str| findings.push(Finding::new(path, index, what));
            if !is_seam && asks_for_back_end(line) {
                report("asks which back end it has, outside the seam");
            }
            // `crate::sync` is the seam.
            let line = line.replace("crate::sync", "");
            if is_kernel && UNSEEN.iter().any(|unseen| line.contains(unseen)) {
                report("a kernel reaches past the seam, where loom cannot look");
            }
        }
    }
    findings
}

/// What exists for unit tests alone, which run in ordinary builds, is no choice of a back end.
fn asks_for_back_end(line: &str) -> bool {
    let cfg = line.contains("cfg(") || line.contains("cfg!(") || line.contains("cfg_attr(");
    let for_tests = line.contains("cfg(all(test,");
    cfg && !for_tests && (line.contains("loom") || line.contains("shuttle"))
}

/// The lines of code with their numbers: no comments, and nothing from the unit tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| {
            !["#[cfg(test)]", "#[cfg(all(test,"]
                .iter()
                .any(|tests| line.starts_with(tests))
        })
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::files;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&files(&[(path, text)]))
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_back_end_chosen_outside_the_seam_is_found() {
        let text = "fn a() {\n    #[cfg(not(any(loom, shuttle)))]\n    if cfg!(loom) {}\n}\n";
        assert_eq!(found("crates/tokio-ctx-core/src/context.rs", text), [2, 3]);
        assert_eq!(found("crates/tokio-ctx-core/src/sync/mod.rs", text), [0; 0]);
        assert_eq!(found("crates/tokio-ctx-core/tests/loom.rs", text), [0; 0]);
        assert_eq!(
            found(
                "crates/tokio-ctx-core/src/context.rs",
                "#[cfg(feature = \"loom\")]"
            ),
            [1]
        );
        assert_eq!(
            found(
                "crates/tokio-ctx-core/src/context.rs",
                "#[cfg(unix)]\n// cfg(loom)\n"
            ),
            [0; 0]
        );
    }

    #[test]
    fn a_kernel_that_reaches_past_the_seam_is_found() {
        let text = "use std::sync::Arc;\nuse std::sync::Mutex;\nuse crate::sync::Mutex;\n";
        assert_eq!(found("crates/spawn_scoped/src/kernel/ledger.rs", text), [2]);
        assert_eq!(
            found(
                "crates/spawn_scoped/src/kernel/ledger/book.rs",
                "tokio::spawn(a);"
            ),
            [1]
        );
        assert_eq!(found("crates/spawn_scoped/src/face/scope.rs", text), [0; 0]);
    }

    #[test]
    fn comments_and_unit_tests_of_a_kernel_are_left_alone() {
        let path = "crates/tokio-ctx-core/src/node/mod.rs";
        let text = "// tokio::time panics here\n#[cfg(test)]\nmod t { use tokio::x; }\n";
        assert_eq!(found(path, text), [0; 0]);
        let gated = text.replace("cfg(test)", "cfg(all(test, not(loom)))");
        assert_eq!(found(path, &gated), [0; 0]);
        let helper = "    #[cfg(all(test, not(loom)))]\n    fn a() {}\n    #[cfg(not(loom))]\n";
        assert_eq!(found(path, helper), [3]);
    }
}
