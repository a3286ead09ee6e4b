//! No circle of imports between the files of a crate: each can be read after those it imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Files, Finding};

/// Crates that still have circles. The list only gets shorter.
const NOT_YET: &[&str] = &[
    "crates/cargo-ctx-lint/",
    "crates/examples/",
    "crates/tokio-ctx-tower/",
    "xtask/",
];

/// A module by its path from the root of its crate, which itself is empty.
type Module = Vec<String>;

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, (&str, &str)>> = BTreeMap::new();
    for (path, text) in files.ending(".rs") {
        let Some(at) = path.find("src/") else {
            continue;
        };
        let (root, inside) = path.split_at(at + "src/".len());
        if NOT_YET.iter().any(|left| root.starts_with(left)) {
            continue;
        }
        let modules = crates.entry(root).or_default();
        modules.insert(module(inside), (path, text));
    }
    crates.values().flat_map(circles).collect()
}

fn module(inside: &str) -> Module {
    let mut parts: Module = inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    let is_entry = |last: &String| ["mod", "lib", "main"].contains(&last.as_str());
    if parts.last().is_some_and(is_entry) {
        parts.pop();
    }
    parts
}

/// One finding for each circle, the shortest through its first file.
fn circles(modules: &BTreeMap<Module, (&str, &str)>) -> Vec<Finding> {
    let imports: BTreeMap<&Module, BTreeSet<&Module>> = modules
        .iter()
        .map(|(module, (_, text))| (module, imported(module, text, modules)))
        .collect();
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for start in modules.keys() {
        let Some(circle) = shortest(start, &imports) else {
            continue;
        };
        let mut members = circle.clone();
        members.sort();
        if seen.insert(members) {
            let paths: Vec<&str> = circle.iter().map(|module| modules[*module].0).collect();
            let what = format!("a circle of imports: {}", paths.join(" -> "));
            findings.push(Finding::new(paths[0], 0, what));
        }
    }
    findings
}

/// The shortest way from a module back to itself.
fn shortest<'a>(
    start: &'a Module,
    imports: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> Option<Vec<&'a Module>> {
    let mut from: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut todo = VecDeque::from([start]);
    while let Some(module) = todo.pop_front() {
        for &next in &imports[module] {
            if next == start {
                let mut circle = vec![module];
                while let Some(&before) = from.get(circle[circle.len() - 1]) {
                    circle.push(before);
                }
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(next) {
                from.insert(next, module);
                todo.push_back(next);
            }
        }
    }
    None
}

/// The modules of the crate that the text of `module` names, by a `use` or where it needs them.
fn imported<'a>(
    module: &Module,
    text: &str,
    modules: &'a BTreeMap<Module, (&str, &str)>,
) -> BTreeSet<&'a Module> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_start = at == 0 || !["::", "$"].contains(&tokens[at - 1].as_str());
        match is_start
            .then(|| base(module, &tokens[at..], modules))
            .flatten()
        {
            Some((base, used)) => at = tree(&tokens, at + used, base, modules, &mut found),
            None => at += 1,
        }
    }
    found.retain(|other| *other != module);
    found
}

/// Where a path begins that starts with these tokens, and how many of them say so.
fn base(
    module: &Module,
    tokens: &[String],
    modules: &BTreeMap<Module, (&str, &str)>,
) -> Option<(Module, usize)> {
    let first = tokens.first()?.as_str();
    if tokens.get(1)? != "::" {
        return None;
    }
    match first {
        "crate" => Some((Module::new(), 2)),
        "self" => Some((module.clone(), 2)),
        "super" => {
            let mut base = module.clone();
            let mut used = 0;
            while tokens.get(used).is_some_and(|token| token == "super")
                && tokens.get(used + 1).is_some_and(|token| token == "::")
            {
                base.pop();
                used += 2;
            }
            Some((base, used))
        }
        child => {
            let mut base = module.clone();
            base.push(child.to_owned());
            modules.contains_key(&base).then_some((base, 2))
        }
    }
}

/// Follows a path, or a tree of them in braces. Returns the first token behind.
fn tree<'a>(
    tokens: &[String],
    mut at: usize,
    mut base: Module,
    modules: &'a BTreeMap<Module, (&str, &str)>,
    found: &mut BTreeSet<&'a Module>,
) -> usize {
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.as_str() {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = tree(tokens, at, base.clone(), modules, found),
                    }
                }
                return at;
            }
            Some(name) => {
                if name != "self" {
                    base.push(name.to_owned());
                }
                at += 1;
            }
            None => return at,
        }
        if tokens.get(at).is_some_and(|token| token == "::") {
            at += 1;
            continue;
        }
        // What is named in the end may be an item: its module is the longest part that is one.
        let depth = (0..=base.len())
            .rev()
            .find(|len| modules.contains_key(&base[..*len]));
        let known = depth.and_then(|len| modules.get_key_value(&base[..len]));
        found.extend(known.map(|(module, _)| module));
        if tokens.get(at).is_some_and(|token| token == "as") {
            at += 2;
        }
        return at.max(1);
    }
}

/// Words, `::` and single signs, without comments, strings and unit tests.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let lines = text.lines().take_while(|line| {
        !["#[cfg(test)]", "#[cfg(all(test,"]
            .iter()
            .any(|tests| line.starts_with(tests))
    });
    for line in lines {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let len = if rest.starts_with("//") {
                break;
            } else if rest.starts_with("::") {
                2
            } else if first == '"' {
                let mut len = 1;
                let mut escaped = false;
                for sign in rest[1..].chars() {
                    len += sign.len_utf8();
                    if sign == '"' && !escaped {
                        break;
                    }
                    escaped = sign == '\\' && !escaped;
                }
                rest = &rest[len..];
                continue;
            } else if first.is_alphanumeric() || first == '_' {
                let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_');
                end.unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(rest[..len].to_owned());
            }
            rest = &rest[len..];
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::super::testing::files;
    use super::*;

    fn found(texts: &[(&str, &str)]) -> Vec<String> {
        let texts: Vec<_> = texts
            .iter()
            .map(|(path, text)| (format!("crates/a/src/{path}"), *text))
            .collect();
        let texts: Vec<_> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), *text))
            .collect();
        let findings = check(&files(&texts));
        findings
            .into_iter()
            .map(|finding| finding.what.replace("crates/a/src/", ""))
            .collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_found() {
        let circle = found(&[
            ("lib.rs", "mod one;\nmod two;\npub use one::One;\n"),
            ("one.rs", "use crate::two::Two;\n"),
            ("two.rs", "use std::fmt;\nuse crate::{\n    one::One,\n};\n"),
        ]);
        assert_eq!(circle, ["a circle of imports: one.rs -> two.rs"]);
    }

    #[test]
    fn a_longer_circle_is_found_once_and_in_order() {
        let circle = found(&[
            ("a.rs", "use super::b::{self, B};"),
            ("b.rs", "fn f() { crate::c::run() }"),
            ("c/mod.rs", "use crate::{a as first};"),
            ("d.rs", "use crate::a::A;"),
        ]);
        assert_eq!(circle, ["a circle of imports: a.rs -> b.rs -> c/mod.rs"]);
    }

    #[test]
    fn a_parent_that_uses_a_child_which_uses_it_is_a_circle() {
        let circle = found(&[
            ("node/mod.rs", "mod link;\nuse link::Link;\n"),
            ("node/link.rs", "use super::Node;\n"),
        ]);
        assert_eq!(circle, ["a circle of imports: node/mod.rs -> node/link.rs"]);
    }

    #[test]
    fn a_reexport_at_the_root_that_is_used_below_is_a_circle() {
        let circle = found(&[("lib.rs", "pub use a::A;"), ("a.rs", "use crate::A;")]);
        assert_eq!(circle, ["a circle of imports: lib.rs -> a.rs"]);
    }

    #[test]
    fn comments_strings_tests_and_macros_of_others_are_no_imports() {
        let clean = found(&[
            ("a.rs", "use crate::b::B;\n"),
            (
                "b.rs",
                "//! See [`crate::a::A`].\nconst A: &str = \"crate::a::A\";\n\
                 macro_rules! m { () => { $crate::a::A } }\n\
                 #[cfg(test)]\nmod tests { use crate::a::A; }\n",
            ),
        ]);
        assert_eq!(clean, <[&str; 0]>::default());
    }

    #[test]
    fn imports_in_one_direction_are_no_circle() {
        let clean = found(&[
            ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n"),
            ("a.rs", "use crate::b::B;\nuse crate::c::d::D;\n"),
            ("b.rs", "use crate::c::d;\n"),
            ("c/mod.rs", "pub(crate) mod d;\n"),
            ("c/d.rs", "use std::fmt;\n"),
        ]);
        assert_eq!(clean, <[&str; 0]>::default());
    }
}
