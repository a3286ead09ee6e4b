//! Small programs, right and wrong. A wrong one names the rules it breaks behind the line
//! (`//~ rule`) or, where the line is a comment, below it (`//~^ rule`).
//!
//! Those in `misuse` were written without a look at the rules, and name the kind of mistake
//! instead of a rule (`//~ waits`). Some of them are not found: they measure the recall.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::lint;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn programs(kind: &str) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(corpus().join(kind)).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("listed").path()).collect();
    paths.sort();
    paths
}

/// The findings a program announces, as `file:line rule`.
fn expected(path: &Path, shown: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut expected = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((_, rules)) = line.split_once("//~") else {
            continue;
        };
        let (line, rules) = match rules.strip_prefix('^') {
            Some(rules) => (at, rules),
            None => (at + 1, rules),
        };
        expected.extend(
            rules
                .split_whitespace()
                .map(|rule| format!("{shown}:{line} {rule}")),
        );
    }
    expected.sort();
    expected
}

#[test]
fn wrong_programs_are_reported_where_they_are_wrong_and_nowhere_else() {
    let run = lint(&corpus(), &["--json", "wrong"]);
    let found = run.findings();
    let mut announced = Vec::new();
    for path in programs("wrong") {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let of_file = expected(&path, &format!("wrong/{name}"));
        assert!(!of_file.is_empty(), "{name} announces nothing");
        announced.extend(of_file);
    }
    let (found, announced) = (BTreeSet::from_iter(found), BTreeSet::from_iter(announced));
    let missed: Vec<&String> = announced.difference(&found).collect();
    let accused: Vec<&String> = found.difference(&announced).collect();
    assert_eq!((missed, accused), (vec![], vec![]), "missed, and accused");
    assert_eq!(run.status, 1);
}

#[test]
fn right_programs_are_not_reported() {
    let run = lint(&corpus(), &["--json", "right"]);
    assert_eq!(run.findings(), Vec::<String>::new());
    assert_eq!(run.json()["errors"], serde_json::json!([]));
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.json()["stats"]["files"], programs("right").len());
}

#[test]
fn every_rule_has_a_wrong_program_and_the_corpus_is_large_enough() {
    let list = lint(&corpus(), &["--list"]).stdout;
    let rules: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let broken: BTreeSet<String> = programs("wrong")
        .iter()
        .flat_map(|path| expected(path, ""))
        .filter_map(|finding| finding.split_whitespace().nth(1).map(str::to_owned))
        .collect();
    assert_eq!(rules, broken);
    assert!(
        programs("wrong").len() + programs("misuse").len() >= 130,
        "{} wrong programs, {} misuses",
        programs("wrong").len(),
        programs("misuse").len()
    );
    assert!(
        programs("right").len() >= 80,
        "{} right programs",
        programs("right").len()
    );
}

/// How many of the misuses are found. It only rises.
const FOUND: usize = 71;

#[test]
fn misuses_written_without_the_rules_are_found_where_they_are_and_nowhere_else() {
    let run = lint(&corpus(), &["--json", "misuse"]);
    let found: BTreeSet<String> = run
        .findings()
        .iter()
        .filter_map(|finding| Some(finding.split_once(' ')?.0.to_owned()))
        .collect();
    let mut kinds = BTreeSet::new();
    let mut places = BTreeSet::new();
    for path in programs("misuse") {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let announced = expected(&path, &format!("misuse/{name}"));
        assert!(!announced.is_empty(), "{name} announces nothing");
        for mark in announced {
            let (place, kind) = mark.split_once(' ').expect("a place and a kind");
            kinds.insert(kind.to_owned());
            places.insert(place.to_owned());
        }
    }
    let elsewhere: Vec<_> = found.difference(&places).collect();
    assert!(
        elsewhere.is_empty(),
        "accused without a mark: {elsewhere:?}"
    );
    let missed: Vec<_> = places.difference(&found).collect();
    assert_eq!(
        places.len() - missed.len(),
        FOUND,
        "of {}; missed: {missed:#?}",
        places.len()
    );
    assert!(kinds.len() >= 12, "{kinds:?}");
    assert!(places.len() >= 40, "{} misuses", places.len());
}

/// The Rust of a Markdown file that readers may copy: blocks that are code, without the
/// marks that hide lines, each as the `main` that `rustdoc` would make of it.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(fence) = lines
        .by_ref()
        .find(|line| line.trim_start().starts_with("```"))
    {
        let info = fence.trim_start().trim_start_matches('`');
        let body: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.trim_start().starts_with("```"))
            .collect();
        let is_rust = info.split(',').any(|word| word == "rust");
        let refused = ["ignore", "compile_fail", "text"]
            .iter()
            .any(|word| info.contains(word));
        if !is_rust || refused {
            continue;
        }
        let shown = body.iter().map(|line| match line.trim_start() {
            "#" => "",
            hidden if hidden.starts_with("# ") => &hidden[2..],
            _ => line,
        });
        let code = shown.collect::<Vec<_>>().join("\n");
        let has_main = code.contains("fn main(") || code.starts_with("#![");
        blocks.push(if has_main {
            code
        } else {
            format!("fn main() {{ async {{\n{code}\n}}; }}\n")
        });
    }
    blocks
}

fn markdown(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("listed") {
        let path = entry.expect("listed").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            markdown(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

#[test]
fn what_our_own_pages_show_is_right() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A packaged crate has only pages of its own.
    let workspace = here.join("../..");
    let is_workspace = workspace.join("crates/cargo-ctx-lint").is_dir();
    let root = if is_workspace {
        workspace
    } else {
        here.to_path_buf()
    };
    let mut pages = Vec::new();
    markdown(&root, &mut pages);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut num_blocks = 0;
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("readable");
        let name = page
            .strip_prefix(&root)
            .expect("inside")
            .to_string_lossy()
            .replace('/', "-");
        for (at, block) in blocks(&text).iter().enumerate() {
            std::fs::write(dir.path().join(format!("{name}-{at}.rs")), block).expect("written");
            num_blocks += 1;
        }
    }
    assert!(num_blocks > 0, "no page has code");
    let run = lint(dir.path(), &["--color=never", "."]);
    assert_eq!(
        run.stdout,
        "",
        "{num_blocks} blocks of {} pages",
        pages.len()
    );
    assert_eq!(run.status, 0);
}
