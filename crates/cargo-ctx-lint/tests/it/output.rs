//! What the tool prints, and with which status it ends.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{files, lint};

const WRONG: &str = "\
use tokio_ctx::Context;

fn start(ctx: &Context) {
    let _ = ctx.with_cancel();
}
";

const RIGHT: &str = "\
use tokio_ctx::Context;

fn start(ctx: &Context) {
    let _guard = ctx.with_cancel();
}
";

#[test]
fn a_finding_looks_like_one_of_rustc() {
    let dir = files(&[("a.rs", WRONG)]);
    let run = lint(dir.path(), &["a.rs"]);
    let expected = "\
error[guard-dropped]: a guard that cancels as soon as it is made
 --> a.rs:4:17
  |
4 |     let _ = ctx.with_cancel();
  |                 ^^^^^^^^^^^ `let _` drops it at once
  |
help: bind it for as long as the work lasts: `let guard = ctx.with_cancel();`, and derive from `guard`
  |
4 |     let _guard = ctx.with_cancel();
  |          +++++

error: 1 finding; `cargo ctx-lint --explain guard-dropped` says why
";
    assert_eq!(run.stdout, expected);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
}

#[test]
fn a_clean_run_prints_nothing() {
    let dir = files(&[("a.rs", RIGHT)]);
    let run = lint(dir.path(), &["a.rs"]);
    assert_eq!(
        (run.status, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn colours_are_for_those_who_ask() {
    let dir = files(&[("a.rs", WRONG)]);
    assert!(
        !lint(dir.path(), &["a.rs"]).stdout.contains('\u{1b}'),
        "a pipe gets none"
    );
    assert!(
        lint(dir.path(), &["--color", "always", "a.rs"])
            .stdout
            .contains('\u{1b}')
    );
    assert!(
        !lint(dir.path(), &["--color=never", "a.rs"])
            .stdout
            .contains('\u{1b}')
    );
}

#[test]
fn json_says_everything_the_report_says() {
    let dir = files(&[("a.rs", WRONG)]);
    let run = lint(dir.path(), &["--json", "a.rs"]);
    let expected = json!({
        "version": 1,
        "findings": [{
            "rule": "guard-dropped",
            "level": "deny",
            "file": "a.rs",
            "line": 4,
            "column": 17,
            "end_line": 4,
            "end_column": 28,
            "message": "a guard that cancels as soon as it is made",
            "label": "`let _` drops it at once",
            "help": "bind it for as long as the work lasts: `let guard = ctx.with_cancel();`, \
                     and derive from `guard`",
            "fix": [{
                "line": 4, "column": 9, "end_line": 4, "end_column": 10,
                "replacement": "_guard",
            }],
        }],
        "errors": [],
        "stats": { "files": 1, "lines": 5, "parsed": 1 },
    });
    assert_eq!(run.json(), expected);
    assert_eq!(run.status, 1);
}

#[test]
fn sarif_has_what_a_code_host_needs() {
    let dir = files(&[("a b.rs", WRONG)]);
    let run = lint(dir.path(), &["--sarif", "a b.rs"]);
    assert_eq!(run.status, 1);
    let log = run.json();
    assert_eq!(log["version"], "2.1.0");
    assert!(
        log["$schema"]
            .as_str()
            .expect("a schema")
            .contains("sarif-2.1.0")
    );
    let [run] = log["runs"].as_array().expect("runs").as_slice() else {
        panic!("one run")
    };
    let [result] = run["results"].as_array().expect("results").as_slice() else {
        panic!("one result")
    };
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
    assert_eq!(rules[index]["id"], result["ruleId"]);
    assert_eq!(result["level"], "error");
    assert!(
        result["message"]["text"]
            .as_str()
            .expect("a text")
            .contains("help: bind it")
    );
    let region = json!({ "startLine": 4, "startColumn": 17, "endLine": 4, "endColumn": 28 });
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"], region);
    assert_eq!(
        place["artifactLocation"],
        json!({ "uri": "a%20b.rs", "uriBaseId": "SRCROOT" })
    );
    let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["insertedContent"]["text"], "_guard");
    assert_eq!(
        run["invocations"][0]["executionSuccessful"],
        Value::Bool(true)
    );
}

#[test]
fn a_file_that_does_not_parse_is_trouble_not_silence() {
    let broken = "use tokio_ctx::Context;\n\nfn (";
    let dir = files(&[("a.rs", broken), ("b.rs", WRONG)]);
    let run = lint(dir.path(), &["--json", "."]);
    let report = run.json();
    assert_eq!(report["errors"][0]["file"], "./a.rs");
    assert_eq!(report["errors"][0]["line"], 3);
    assert_eq!(
        report["findings"].as_array().expect("findings").len(),
        1,
        "the rest is read"
    );
    assert_eq!(run.status, 2);
    let run = lint(dir.path(), &["--sarif", "."]);
    assert_eq!(
        run.json()["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
    let run = lint(dir.path(), &["."]);
    assert!(
        run.stdout.contains("cannot parse the file"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("1 unreadable file, 1 finding"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_mistake_in_the_arguments_is_explained_and_ends_with_2() {
    let dir = files(&[("a.rs", RIGHT)]);
    let check = |args: &[&str], expected: &str| {
        let run = lint(dir.path(), args);
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
    };
    check(&["--jsn"], "unknown option `--jsn`");
    check(&["--json=yes"], "`--json` takes no value");
    check(&["--json", "--sarif"], "exclude each other");
    check(&["--config"], "`--config` needs a value");
    check(&["--color", "blue"], "auto, always or never");
    check(
        &["--explain", "guard-droped"],
        "did you mean `guard-dropped`?",
    );
    check(
        &["--config", "missing.toml", "a.rs"],
        "cannot read missing.toml",
    );
    check(&["-p", "shop", "a.rs"], "without a manifest");
    check(
        &["--manifest-path", "missing/Cargo.toml"],
        "`cargo metadata` failed",
    );
    let missing = lint(dir.path(), &["missing.rs"]);
    assert!(
        missing.stdout.contains("cannot read the file"),
        "{}",
        missing.stdout
    );
    assert_eq!(missing.status, 2);
}

#[test]
fn cargo_calls_it_with_its_own_name_first() {
    let dir = files(&[("a.rs", WRONG)]);
    assert_eq!(lint(dir.path(), &["ctx-lint", "a.rs"]).status, 1);
    assert_eq!(lint(dir.path(), &["ctx-lint", "--help"]).status, 0);
}

#[test]
fn every_listed_rule_is_explained_and_documented() {
    let dir = files(&[]);
    let list = lint(dir.path(), &["--list"]);
    assert_eq!(list.status, 0);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/appendix/lint.md");
    // It is in the repository, and not in the package.
    let page = std::fs::read_to_string(page).ok();
    let is_documented = |rule| match &page {
        Some(page) => page.contains(&format!("| `{rule}` |")),
        None => !Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .exists(),
    };
    let mut num_rules = 0;
    for line in list.stdout.lines() {
        let (rule, summary) = line.split_once(' ').expect("a rule and its summary");
        let explained = lint(dir.path(), &["--explain", rule]);
        assert_eq!(explained.status, 0);
        assert!(
            explained
                .stdout
                .starts_with(&format!("{rule}: {}\n\n", summary.trim()))
        );
        assert!(
            explained.stdout.lines().count() >= 4,
            "{rule} is explained in words"
        );
        assert!(is_documented(rule), "{rule} is in docs/appendix/lint.md");
        num_rules += 1;
    }
    assert!(num_rules >= 16, "{num_rules} rules");
}

#[test]
fn the_version_and_the_help_are_printed() {
    let dir = files(&[]);
    let version = lint(dir.path(), &["-V"]).stdout;
    assert_eq!(
        version,
        format!("cargo-ctx-lint {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = lint(dir.path(), &["--help"]).stdout;
    for option in [
        "--fix",
        "--json",
        "--sarif",
        "--explain",
        "--list",
        "--config",
        "--manifest-path",
    ] {
        assert!(help.contains(option), "{option}");
    }
}
