//! The public types of the crates that most programs see: each is in one table, with the reason
//! why a newcomer does not need it, and there are only so many.
//!
//! `unreachable_pub` is denied, so what says `pub` is public, hidden from the documentation or
//! not. What only a build with `--cfg loom` has is left out, and so are traits that seal another.

use std::collections::BTreeSet;

use super::{Files, Finding};

/// Public types of all [`CRATES`] together.
const TYPES: usize = 55;
/// Those of them that are on the main road.
const NOUNS: usize = 11;

const CRATES: [&str; 3] = ["tokio-ctx-core", "spawn_scoped", "tokio-ctx-tower"];
const TABLE: &str = "docs/appendix/public-types.md";
/// The main road: what a newcomer reads first.
const ROAD: [&str; 6] = [
    "README.md",
    "docs/guide/01-",
    "docs/guide/02-",
    "docs/guide/03-",
    "docs/guide/04-",
    "crates/examples/src/",
];
/// Programs beside the demo.
const BESIDE: &str = "crates/examples/src/bin/";

/// A public type, and where it is declared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Type<'f> {
    krate: &'f str,
    name: &'f str,
    path: &'f str,
    line: usize,
    /// Declared here; otherwise it is another crate's, and its users know its name.
    is_ours: bool,
}

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let Some(table) = files.get(TABLE) else {
        return vec![Finding::new(TABLE, 0, "the table is missing")];
    };
    let types = public(files);
    let listed: Vec<(usize, [&str; 3])> = rows(table).collect();
    let is_listed = |found: &Type| {
        let mut rows = listed.iter();
        rows.any(|(_, row)| row[0] == found.name && row[1] == found.krate && !row[2].is_empty())
    };
    let mut findings = Vec::new();
    for found in types.iter().filter(|found| !is_listed(found)) {
        let what = format!(
            "`{}` is public and not in {TABLE}, with a reason",
            found.name
        );
        findings.push(Finding::new(found.path, found.line, what));
    }
    for (line, row) in &listed {
        let mut found = types.iter();
        if !found.any(|found| found.name == row[0] && found.krate == row[1]) {
            let what = format!("`{}` is no public type of {}", row[0], row[1]);
            findings.push(Finding::new(TABLE, *line, what));
        }
    }
    if types.len() > TYPES {
        let names: Vec<&str> = types.iter().map(|found| found.name).collect();
        let what = format!(
            "{} public types; {TYPES} are allowed: {}",
            types.len(),
            names.join(", ")
        );
        findings.push(Finding::new(TABLE, 0, what));
    }
    let nouns = on_the_road(files, &types);
    if nouns.len() > NOUNS {
        let names: Vec<&str> = nouns.iter().copied().collect();
        let what = format!(
            "{} types on the main road; {NOUNS} are allowed: {}",
            nouns.len(),
            names.join(", ")
        );
        findings.push(Finding::new("README.md", 0, what));
    }
    findings
}

/// The rows of the table: name, crate, reason.
fn rows(table: &str) -> impl Iterator<Item = (usize, [&str; 3])> {
    let lines = table.lines().enumerate();
    lines.filter_map(|(index, line)| {
        let mut cells = line.strip_prefix("| `")?.splitn(3, '|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?;
        let krate = cells.next()?.trim_matches('`');
        let reason = cells.next()?.trim_end_matches('|').trim();
        Some((index + 1, [name, krate, reason]))
    })
}

/// The public types of all crates, in order.
fn public(files: &Files) -> Vec<Type<'_>> {
    let mut types = Vec::new();
    for krate in CRATES {
        let inside = format!("crates/{krate}/src/");
        let mut declared = BTreeSet::new();
        let mut passed_on = Vec::new();
        for (path, text) in files.ending(".rs") {
            if !path.starts_with(&inside) || path.contains("/modelled") {
                continue;
            }
            let found = |line, name, is_ours| Type {
                krate,
                name,
                path,
                line,
                is_ours,
            };
            for (line, name) in declarations(text) {
                declared.insert(name);
                types.push(found(line, name, true));
            }
            // The module for models is there only in models.
            if !path.ends_with("/model.rs") {
                passed_on.extend(re_exports(text).map(|(line, name)| found(line, name, false)));
            }
        }
        // What is re-exported and declared nowhere here is another crate's.
        passed_on.retain(|found| declared.insert(found.name));
        types.append(&mut passed_on);
    }
    types.sort();
    types
}

/// The public types that are declared in `text`, except those in a module `sealed`.
fn declarations(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut sealed = false;
    let lines = text.lines().enumerate();
    lines.filter_map(move |(index, line)| {
        match line {
            "mod sealed {" => sealed = true,
            "}" => sealed = false,
            _ => {}
        }
        let rest = line.trim_start().strip_prefix("pub ")?;
        let kinds = ["struct ", "enum ", "trait ", "union ", "type "];
        let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        (!sealed).then(|| (index + 1, word(rest)))
    })
}

/// The names that begin with a capital in statements of `pub use`.
fn re_exports(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = text.match_indices("pub use ");
    starts.flat_map(|(at, _)| {
        let line = text[..at].lines().count().max(1);
        let end = text[at..]
            .find(';')
            .map_or(text.len(), |length| at + length);
        let names = split(&text[at..end]);
        let is_type =
            |name: &&str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
        names.filter(is_type).map(move |name| (line, name))
    })
}

/// The types of ours that the main road names.
fn on_the_road<'f>(files: &Files, types: &[Type<'f>]) -> BTreeSet<&'f str> {
    let ours = types.iter().filter(|found| found.is_ours);
    let names: BTreeSet<&str> = ours.map(|found| found.name).collect();
    let mut nouns = BTreeSet::new();
    for (path, text) in files.iter() {
        let is_on = ROAD.iter().any(|start| path.starts_with(start));
        if !is_on || path.starts_with(BESIDE) {
            continue;
        }
        let named = match path.ends_with(".md") {
            true => in_prose(text),
            false => imported(text),
        };
        nouns.extend(names.iter().copied().filter(|name| named.contains(name)));
    }
    nouns
}

/// The names that Rust code has from the door.
fn imported(code: &str) -> Vec<&str> {
    let uses = code.match_indices("tokio_ctx::");
    let names = uses.flat_map(|(at, _)| {
        let rest = &code[at..];
        let is_path = |c: char| c.is_alphanumeric() || ['_', ':'].contains(&c);
        let end = match code[..at].ends_with("use ") {
            true => rest.find(';'),
            false => rest.find(|c| !is_path(c)),
        };
        split(&rest[..end.unwrap_or(rest.len())])
    });
    names.collect()
}

/// The names in Markdown: set as code and begun with one, or imported by an example.
fn in_prose(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (index, block) in text.split("```").enumerate() {
        match index % 2 {
            0 => names.extend(block.split('`').skip(1).step_by(2).map(word)),
            _ if block.starts_with("rust") => names.extend(imported(block)),
            _ => {}
        }
    }
    names
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn word(text: &str) -> &str {
    split(text).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::files;
    use super::*;

    const TYPES_OF_CORE: &str = "pub use tokio_util::sync::CancellationToken;\n\
        pub use self::a::{\n    Guard, run,\n};\npin_project! {\n    /// Text.\n    \
        pub struct Guard<'a> {}\n}\n#[doc(hidden)]\npub enum Hidden {}\npub(crate) struct Own;\n\
        mod sealed {\n    pub trait Sealed {}\n}\npub trait Key {}\n";

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&files(sources));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_type_is_found_however_it_becomes_public() {
        let sources = files(&[("crates/tokio-ctx-core/src/lib.rs", TYPES_OF_CORE)]);
        let types = public(&sources);
        let places: Vec<_> = types.iter().map(|found| (found.name, found.line)).collect();
        let wanted = [
            ("CancellationToken", 1),
            ("Guard", 7),
            ("Hidden", 10),
            ("Key", 15),
        ];
        assert_eq!(places, wanted);
    }

    #[test]
    fn what_only_models_have_is_left_out() {
        let model = "pub use crate::sync::modelled::Panic;\n";
        let sources = files(&[
            ("crates/spawn_scoped/src/model.rs", model),
            (
                "crates/spawn_scoped/src/sync/modelled.rs",
                "pub struct Panic;\n",
            ),
            ("crates/tokio-ctx-db/src/lib.rs", "pub struct Other;\n"),
        ]);
        assert_eq!(public(&sources), []);
    }

    #[test]
    fn table_and_types_must_agree() {
        let source = (
            "crates/tokio-ctx-core/src/a.rs",
            "pub struct A;\npub struct B;\n",
        );
        let table = "| type | crate | why |\n|---|---|---|\n| `A` | `tokio-ctx-core` | a reason |\n\
            | `B` | `tokio-ctx-core` | |\n| `C` | `spawn_scoped` | a reason |\n";
        assert_eq!(
            found(&[source, (TABLE, table)]),
            [
                format!(
                    "crates/tokio-ctx-core/src/a.rs:2: `B` is public and not in {TABLE}, with a reason"
                ),
                format!("{TABLE}:5: `C` is no public type of spawn_scoped"),
            ]
        );
    }

    #[test]
    fn one_type_more_than_allowed_is_found() {
        let of = |num: usize| {
            let types: String = (0..num).map(|n| format!("pub struct T{n};\n")).collect();
            let rows = (0..num).map(|n| format!("| `T{n}` | `spawn_scoped` | a reason |\n"));
            let table: String = rows.collect();
            found(&[("crates/spawn_scoped/src/a.rs", &types), (TABLE, &table)])
        };
        assert_eq!(of(TYPES), [""; 0]);
        let findings = of(TYPES + 1);
        let start = format!(
            "{TABLE}:0: {} public types; {TYPES} are allowed: T0, T1",
            TYPES + 1
        );
        assert!(findings[0].starts_with(&start), "{findings:?}");
    }

    #[test]
    fn a_noun_more_than_allowed_on_the_main_road_is_found() {
        let letters: Vec<String> = ('A'..='L').map(|letter| format!("{letter}a")).collect();
        let types: String = letters
            .iter()
            .map(|name| format!("pub struct {name};\n"))
            .collect();
        let row = |name: &String| format!("| `{name}` | `spawn_scoped` | a reason |\n");
        let table: String = letters.iter().map(row).collect();
        let prose = format!(
            "`{}<T>`\n```rust\nuse tokio_ctx::{{{}}};\n```\n```go\nuse tokio_ctx::Ka;\n```\n`x.La`\n",
            letters[0],
            letters[1..10].join(", ")
        );
        let of = |demo: &str| {
            found(&[
                ("crates/spawn_scoped/src/a.rs", &types),
                ("crates/examples/src/main.rs", demo),
                ("docs/guide/02-a.md", &prose),
                (TABLE, &table),
            ])
        };
        assert_eq!(of("fn f(_: tokio_ctx::Ka) { La; }\n"), [""; 0]);
        let findings = of("use tokio_ctx::{\n    Ka, La,\n};\n");
        assert!(findings[0].starts_with("README.md:0: 12 types on the main road; 11"));
    }
}
