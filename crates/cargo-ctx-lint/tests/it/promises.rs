//! What the tool promises about itself: how much it reads, and what it hands to clippy.

use std::fmt::Write as _;

use crate::support::{files, lint, manifest};

/// A module of about a hundred lines without a finding, with `import` on top.
fn module(import: &str, functions: usize) -> String {
    let mut text = format!("{import}\n");
    for n in 0..functions {
        write!(
            text,
            "/// Loads row {n}.\npub async fn load_{n}(ctx: &Context, id: u64) -> Result<u64, Error> {{\n    \
             let ctx = ctx.with_timeout(LIMIT);\n    let mut sum = 0;\n    for part in 0..id {{\n        \
             let row = ctx.run(fetch(part)).await?;\n        match row {{\n            \
             Some(value) if value > {n} => sum += value,\n            _ => continue,\n        }}\n    \
             }}\n    Ok(sum)\n}}\n\n"
        )
        .expect("a string takes everything");
    }
    text
}

#[test]
fn a_hundred_thousand_lines_are_read_once_and_parsed_only_where_needed() {
    let of_ours = module("use tokio_ctx::Context;", 7);
    let of_others = module("use std::task::Context;", 7);
    let of_nobody = module("use other::Nothing;", 7).replace("Context", "Bystander");
    let mut tree = vec![("Cargo.toml".to_owned(), manifest("large"))];
    tree.push(("src/lib.rs".to_owned(), String::new()));
    for n in 0..1000 {
        let text = match n % 10 {
            0 => &of_ours,
            1 => &of_others,
            _ => &of_nobody,
        };
        tree.push((format!("src/group{}/module{n}.rs", n % 20), text.clone()));
    }
    let tree: Vec<(&str, &str)> = tree.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let dir = files(&tree);
    let run = lint(dir.path(), &["--json"]);
    assert_eq!(run.findings(), Vec::<String>::new(), "{}", run.stderr);
    let stats = run.json()["stats"].clone();
    assert_eq!(stats["files"], 1001);
    let lines = stats["lines"].as_u64().expect("a number");
    assert!((98_000..110_000).contains(&lines), "{lines} lines");
    // Those that name our crate, and those that name some `Context`; nothing twice.
    assert_eq!(stats["parsed"], 200);
}

#[test]
fn a_workspace_that_never_names_us_is_not_parsed_at_all() {
    let of_others = module("use std::task::Context;", 7);
    let dir = files(&[
        ("Cargo.toml", &manifest("a")),
        ("src/lib.rs", &of_others),
        ("src/other.rs", &of_others),
    ]);
    let run = lint(dir.path(), &["--json"]);
    assert_eq!(run.json()["stats"]["parsed"], 0);
    assert_eq!(
        (run.json()["stats"]["files"].as_u64(), run.status),
        (Some(2), 0)
    );
}

#[test]
fn reports_do_not_depend_on_which_thread_was_first() {
    let wrong =
        "pub struct A { ctx: tokio_ctx::Context }\nfn f() { tokio_ctx::Context::todo(); }\n";
    let names: Vec<String> = (0..40).map(|n| format!("src/m{n}.rs")).collect();
    let package = manifest("a");
    let mut tree = vec![("Cargo.toml", package.as_str()), ("src/lib.rs", "")];
    tree.extend(names.iter().map(|name| (name.as_str(), wrong)));
    let dir = files(&tree);
    let first = lint(dir.path(), &[]);
    assert_eq!(first.stdout.matches("error[").count(), 80);
    for _ in 0..5 {
        assert_eq!(lint(dir.path(), &[]).stdout, first.stdout);
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let depth = 900;
    let nested = format!(
        "use tokio_ctx::Context;\nfn f() -> u32 {{ {}1{} }}\nstruct S(Context);\n",
        "(".repeat(depth),
        ")".repeat(depth)
    );
    let dir = files(&[("a.rs", &nested)]);
    let run = lint(dir.path(), &["--json", "a.rs"]);
    assert_eq!(
        run.findings(),
        ["a.rs:3 context-in-struct"],
        "{}",
        run.stderr
    );
}

#[test]
fn the_clippy_fragment_names_functions_that_exist_and_says_why() {
    let fragment = include_str!("../../clippy-fragment.toml");
    let fragment: toml::Table = toml::from_str(fragment).expect("TOML");
    let methods = fragment["disallowed-methods"].as_array().expect("a list");
    let mut paths: Vec<&str> = Vec::new();
    for method in methods {
        let reason = method["reason"].as_str().expect("a reason");
        assert!(reason.split_whitespace().count() >= 4, "{reason}");
        paths.push(method["path"].as_str().expect("a path"));
    }
    /// Names each path twice: for the compiler, and as text.
    macro_rules! functions {
        ($($path:path => $ty:ty,)*) => {
            [$({ let _: $ty = $path; stringify!($path).replace(' ', "") }),*]
        };
    }
    type Fut = std::future::Ready<()>;
    let exist = functions! {
        tokio::spawn => fn(Fut) -> tokio::task::JoinHandle<()>,
        tokio::task::spawn => fn(Fut) -> tokio::task::JoinHandle<()>,
        tokio::task::spawn_local => fn(Fut) -> tokio::task::JoinHandle<()>,
        tokio::time::sleep => fn(std::time::Duration) -> tokio::time::Sleep,
        tokio::time::sleep_until => fn(tokio::time::Instant) -> tokio::time::Sleep,
        tokio::time::timeout => fn(std::time::Duration, Fut) -> tokio::time::Timeout<Fut>,
        tokio::time::timeout_at => fn(tokio::time::Instant, Fut) -> tokio::time::Timeout<Fut>,
        tokio_ctx::Context::background => fn() -> tokio_ctx::Context,
        tokio_ctx::Context::todo => fn() -> tokio_ctx::Context,
    };
    let mut exist = exist.to_vec();
    exist.sort();
    paths.sort_unstable();
    assert_eq!(paths, exist);
}
