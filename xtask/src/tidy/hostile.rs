//! Foreign code: each public function that takes some, or waits, is named by a test in which all
//! that is foreign is hostile.
//!
//! A function takes foreign code if it has a type parameter, or an argument of one of its type's,
//! or `impl` or `dyn` anywhere; it waits if it is `async` or gives back a future.

use super::{Files, Finding};

const CRATES: [&str; 2] = ["tokio-ctx-core", "spawn_scoped"];

/// Where the tests of a crate with these words in their paths name functions as `"Type::name"`.
const TESTS: [&str; 2] = ["/tests/it/hostile/", "/tests/it/every_function/"];

/// Futures that have a name.
const FUTURES: [&str; 4] = ["Future<", "Done<", "DoneOwned", "Run<"];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in CRATES {
        let inside = format!("crates/{krate}/");
        let ours = || {
            let sources = files.ending(".rs");
            sources.filter(|(path, _)| path.starts_with(&inside))
        };
        let named: String = ours()
            .filter(|(path, _)| TESTS.iter().any(|tests| path.contains(tests)))
            .map(|(_, text)| text)
            .collect();
        // What only a model has is for models.
        let sources = ours().filter(|(path, _)| {
            path.contains("/src/") && !path.contains("/modelled") && !path.ends_with("/model.rs")
        });
        for (path, text) in sources {
            for (line, name) in functions(text) {
                if !named.contains(&format!("\"{name}\"")) {
                    let what = format!("no test with hostile types names `{name}`");
                    findings.push(Finding::new(path, line, what));
                }
            }
        }
    }
    findings
}

/// The lines and names of the public functions that take foreign code, or wait.
fn functions(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut owner = Owner::default();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("impl") {
            owner = Owner::of(&head(&lines[index..]));
        } else if line.starts_with('}') {
            owner = Owner::default();
        }
        let line = line.trim_start();
        let Some(rest) = line.strip_prefix("pub ") else {
            continue;
        };
        let is_async = rest.starts_with("async ");
        let rest = rest
            .trim_start_matches("async ")
            .trim_start_matches("const ");
        if !rest.starts_with("fn ") {
            continue;
        }
        let signature = head(&lines[index..]);
        let Some((_, signature)) = signature.split_once("fn ") else {
            continue;
        };
        let (name, rest) = signature.split_at(signature.find(['<', '(']).unwrap_or(0));
        let takes = is_async
            || rest.starts_with('<')
            || rest.contains("impl ")
            || rest.contains("dyn ")
            || FUTURES.iter().any(|future| rest.contains(future))
            || owner
                .parameters
                .iter()
                .any(|parameter| takes(rest, parameter));
        if takes {
            let name = match &owner.name {
                Some(owner) => format!("{owner}::{name}"),
                None => name.to_owned(),
            };
            found.push((index + 1, name));
        }
    }
    found
}

/// Whether an argument has the type `parameter`.
fn takes(signature: &str, parameter: &str) -> bool {
    let arguments = signature.split("->").next().unwrap_or_default();
    let mut words = arguments.split(|c: char| !c.is_alphanumeric());
    words.any(|word| word == parameter)
}

/// From here to the brace that opens a block, on one line.
fn head(lines: &[&str]) -> String {
    let mut head = String::new();
    for line in lines {
        head.push_str(line.trim());
        head.push(' ');
        if line.ends_with('{') || line.ends_with(';') {
            break;
        }
    }
    head
}

/// The type of an `impl`, without its own parameters: `Task` of `impl<T> Task<T>`, `Task<Scope>`
/// of `impl<E> Task<'_, Scope<E>>`.
#[derive(Default)]
struct Owner {
    name: Option<String>,
    parameters: Vec<String>,
}

impl Owner {
    fn of(head: &str) -> Owner {
        let rest = head.strip_prefix("impl").unwrap_or(head);
        let (parameters, rest) = match rest.strip_prefix('<') {
            Some(inner) => balanced(inner),
            None => ("", rest),
        };
        let parameters: Vec<String> = parameters
            .split(',')
            .filter_map(|parameter| parameter.split(':').next())
            .map(|parameter| parameter.trim().to_owned())
            .filter(|parameter| !parameter.is_empty())
            .collect();
        let of = rest.split(" where ").next().unwrap_or(rest);
        let of = of.split(" for ").last().unwrap_or(of);
        let mut name = String::new();
        let words = of.split_inclusive(|c: char| !c.is_alphanumeric() && c != '\'' && c != '_');
        for word in words {
            let end = word.find(|c: char| !c.is_alphanumeric() && c != '\'' && c != '_');
            let (word, mark) = word.split_at(end.unwrap_or(word.len()));
            if !word.starts_with('\'') && !parameters.iter().any(|own| own == word) {
                name.push_str(word);
            }
            if mark == "<" || mark == ">" {
                name.push_str(mark);
            }
        }
        while name.contains("<>") {
            name = name.replace("<>", "");
        }
        Owner {
            name: Some(name),
            parameters,
        }
    }
}

/// What is before the bracket that closes, and what is after it.
fn balanced(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (index, mark) in text.char_indices() {
        match mark {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..index], &text[index + 1..]);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    fn names(text: &str) -> Vec<String> {
        functions(text).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn functions_are_called_by_their_types() {
        let text = "impl<'s, S> Task<'s, S> {\n    pub fn name(\n        self,\n        name: impl \
                    Into<X>,\n    ) -> Self {\n    }\n}\nimpl<E: Send + 'static> Task<'_, Scope<E>> \
                    {\n    pub fn spawn<F>(self, f: F) {\n    }\n}\npub fn map<T>(t: T) {\n}\n";
        assert_eq!(names(text), ["Task::name", "Task<Scope>::spawn", "map"]);
    }

    #[test]
    fn only_what_takes_foreign_code_or_waits_must_be_named() {
        let none =
            "impl<T> A<T> {\n    pub fn b(&self) -> u8 {\n    }\n    fn c<F>(f: F) {\n    }\n}\n";
        assert_eq!(names(none), [""; 0]);
        let all = "impl<T> A<T> {\n    pub fn b(&self, t: T) {\n    }\n    pub async fn c() {\n    }\n    \
                   pub fn d(&self) -> Done<'_> {\n    }\n    pub fn e(x: Arc<dyn X>) {\n    }\n}\n";
        assert_eq!(names(all), ["A::b", "A::c", "A::d", "A::e"]);
    }

    #[test]
    fn a_function_that_no_hostile_test_names_is_found() {
        let source = ("crates/spawn_scoped/src/a.rs", "pub fn a<F>(f: F) {\n}\n");
        let test = "crates/spawn_scoped/tests/it/every_function/b.rs";
        assert_eq!(
            places(&check(&files(&[source, (test, "&[\"a\"]")]))),
            [""; 0]
        );
        assert_eq!(
            places(&check(&files(&[source, (test, "&[\"b\"]")]))),
            ["crates/spawn_scoped/src/a.rs:1"]
        );
    }
}
