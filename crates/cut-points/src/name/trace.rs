//! From the text of a backtrace to the chain of awaits.
//!
//! The standard library resolves a backtrace and gives nothing but its text: a line with the number
//! and the name of each function, and mostly a line `at FILE:LINE:COLUMN` below it. With
//! `debug = "line-tables-only"` a name may be as short as `{async_fn#0}`, so that files decide what
//! belongs to whom.

use std::backtrace::Backtrace;
use std::path::{Path, PathBuf};

use super::place::{Frame, Place};

/// The files of this crate.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
const ROOT: &str = "name/root.rs";
/// Where cargo keeps the sources of dependencies.
const FETCHED: &str = concat!("/registry", "/src/");

/// One backtrace, from the innermost function to the root of the call.
pub(super) struct Trace {
    symbols: Vec<Symbol>,
}

#[derive(PartialEq, Eq)]
struct Symbol {
    name: String,
    position: Option<Position>,
    /// At or below the `poll` of the innermost future: the insides of what is awaited.
    in_leaf: bool,
}

#[derive(PartialEq, Eq)]
struct Position {
    file: PathBuf,
    line: u32,
    column: u32,
}

impl Trace {
    pub(super) fn read(trace: &Backtrace) -> Trace {
        let here = std::env::current_dir().unwrap_or_default();
        Trace::parse(&trace.to_string(), &here)
    }

    fn parse(text: &str, here: &Path) -> Trace {
        let mut symbols = symbols(text, here);
        if let Some(root) = symbols.iter().position(Symbol::is_root) {
            symbols.truncate(root);
        }
        let leaf = symbols
            .iter()
            .position(Symbol::is_poll)
            .map_or(symbols.len(), |at| at + 1);
        symbols[..leaf]
            .iter_mut()
            .for_each(|symbol| symbol.in_leaf = true);
        symbols.retain(|symbol| !symbol.is_machinery());
        Trace { symbols }
    }

    /// Whether the call went past this await to `last` within one poll.
    ///
    /// From the root downwards, the first frame that differs is then the same async function at
    /// another line. Of branches side by side it is another function, or a combinator's `poll`.
    pub(super) fn is_passed_by(&self, last: &Trace) -> bool {
        let frames = self.symbols.iter().rev().zip(last.symbols.iter().rev());
        let differ = frames.into_iter().find(|(one, other)| one != other);
        differ.is_some_and(|(one, other)| one.name == other.name && one.is_async())
    }

    pub(super) fn place(&self) -> Place {
        let workspace = workspace();
        let mut place = Place::default();
        for symbol in &self.symbols {
            match symbol
                .position
                .as_ref()
                .filter(|position| !is_foreign(&position.file))
            {
                Some(position) => {
                    let frame = position.frame(readable(&symbol.name), &workspace);
                    if place.frames.last() != Some(&frame) {
                        place.frames.push(frame);
                    }
                }
                // The outermost one below the project's own code is what that code awaits.
                None if place.frames.is_empty() && symbol.is_polled() => {
                    let frame = symbol.position.as_ref().filter(|_| symbol.is_async_body());
                    place
                        .library
                        .extend(frame.and_then(Position::library_frame));
                    let name = readable(&symbol.name);
                    place.awaited = name.filter(|name| name.contains("::")).or(place.awaited);
                }
                None => {}
            }
        }
        place
    }
}

impl Symbol {
    fn is_root(&self) -> bool {
        self.name == "cut_points::name::root::root" || self.is_in(ROOT)
    }

    /// Of the standard library or of this crate.
    fn is_machinery(&self) -> bool {
        let path = self.name.trim_start_matches(['<', '&']);
        let path = path.strip_prefix("dyn ").unwrap_or(path);
        let is_std = ["core::", "std::", "alloc::"]
            .iter()
            .any(|krate| path.starts_with(krate));
        is_std || self.is_in("") || path.starts_with("cooked_waker::")
    }

    fn is_in(&self, file: &str) -> bool {
        let own = |position: &Position| {
            let path = position.file.to_string_lossy().replace('\\', "/");
            path.strip_prefix(&OWN.replace('\\', "/"))
                .is_some_and(|rest| rest.starts_with(file))
        };
        self.position.as_ref().is_some_and(own)
    }

    /// The body of an async function or block, which the compiler makes a closure.
    fn is_async(&self) -> bool {
        ["{closure", "{{closure", "{async"]
            .iter()
            .any(|part| self.name.contains(part))
    }

    /// The same in a library, without ordinary closures, and without generic code over async
    /// functions.
    fn is_async_body(&self) -> bool {
        !self.in_leaf && (self.name.starts_with("{async") || self.name.ends_with("{{closure}}"))
    }

    /// The `poll` of a hand-written future.
    fn is_poll(&self) -> bool {
        self.name.ends_with("Future>::poll")
            || self.name == "poll"
            || self.name.starts_with("poll<")
    }

    fn is_polled(&self) -> bool {
        self.is_async() || self.name.contains("poll")
    }
}

impl Position {
    fn frame(&self, function: Option<String>, workspace: &Path) -> Frame {
        let file = self.file.strip_prefix(workspace).unwrap_or(&self.file);
        Frame {
            function,
            file: file.to_string_lossy().replace('\\', "/"),
            line: self.line,
            column: self.column,
            source: source(&self.file, self.line),
        }
    }
}

impl Position {
    /// For a file of a dependency, whose name begins with the crate's name and version.
    fn library_frame(&self) -> Option<Frame> {
        let path = self.file.to_string_lossy().replace('\\', "/");
        let (_, registry) = path.split_once(FETCHED)?;
        let (_, file) = registry.split_once('/')?;
        Some(Frame {
            function: None,
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            source: source(&self.file, self.line),
        })
    }
}

/// The text of one line of a file, if the file is there.
fn source(file: &Path, line: u32) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().nth(line.checked_sub(1)? as usize)?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn symbols(text: &str, here: &Path) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(at) = line.strip_prefix("at ") {
            if let Some(symbol) = symbols.last_mut() {
                symbol.position = position(at, here);
            }
            continue;
        }
        let name = match line.split_once(": ") {
            Some((number, name)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => line,
        };
        symbols.push(Symbol {
            name: name.to_owned(),
            position: None,
            in_leaf: false,
        });
    }
    symbols
}

/// `FILE:LINE` or `FILE:LINE:COLUMN`; a file may contain colons itself.
fn position(text: &str, here: &Path) -> Option<Position> {
    let (rest, last) = text.rsplit_once(':')?;
    let last = last.parse().ok()?;
    let (file, line, column) = match rest
        .rsplit_once(':')
        .map(|(file, line)| (file, line.parse()))
    {
        Some((file, Ok(line))) => (file, line, last),
        _ => (rest, last, 0),
    };
    let file = here.join(file.strip_prefix("./").unwrap_or(file));
    Some(Position { file, line, column })
}

/// Of the standard library or of a dependency that cargo fetched.
fn is_foreign(file: &Path) -> bool {
    let file = file.to_string_lossy().replace('\\', "/");
    [
        "/rustc/",
        "/rustlib/src/",
        FETCHED,
        "/git/checkouts/",
        "/vendor/",
    ]
    .iter()
    .any(|part| file.contains(part))
}

/// The path of a function without the marks of closures, generic arguments, and the trait of which
/// it is a method; nothing where that is all there is.
fn readable(name: &str) -> Option<String> {
    let (this, method) = match name.strip_prefix('<').and_then(split_qualified) {
        Some((this, method)) => (this.split(" as ").next().unwrap_or(this), method),
        None => (name, ""),
    };
    let mut path = without_generics(this);
    path.push_str(&without_generics(method));
    let path = without_closures(&path);
    let path = path.strip_suffix("::poll").unwrap_or(&path);
    (!path.is_empty()).then(|| path.to_owned())
}

/// `T as Trait>::method` into `T as Trait` and `::method`.
fn split_qualified(name: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&name[..at], &name[at + 1..]));
        }
    }
    None
}

fn without_generics(path: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::new();
    for char in path.chars() {
        match char {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(char),
            _ => {}
        }
    }
    let kept = kept.replace("::::", "::");
    kept.strip_suffix("::").unwrap_or(&kept).to_owned()
}

fn without_closures(path: &str) -> String {
    let parts = path.split("::").filter(|part| !part.starts_with('{'));
    parts.collect::<Vec<_>>().join("::")
}

/// The outermost directory above this one that has a manifest.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let manifests = here
        .ancestors()
        .filter(|dir| dir.join("Cargo.toml").is_file());
    manifests.last().unwrap_or(&here).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
   0: std::backtrace_rs::backtrace::trace
             at /rustc/59807616/library/std/src/lib.rs:117:9
   1: <alloc::boxed::Box<T> as core::clone::Clone>::clone
   2: tokio::time::sleep::Sleep::poll_elapsed
             at /rustc/59807616/vendor/tokio-1.54.1/src/time/sleep.rs:400:9
   3: <tokio::time::sleep::Sleep as core::future::future::Future>::poll
   4: shop::transfer::{{closure}}
             at ./src/lib.rs:21:30
      {async_closure#0}<shop::Db>
             at ./src/lib.rs:12:9
   5: cut_points::name::root::root
   6: test::run
             at ./tests/never.rs:1:1
";

    #[test]
    fn a_chain_holds_the_projects_awaits_and_what_the_innermost_awaits() {
        let place = Trace::parse(TRACE, Path::new("/w")).place();
        let expected = "/w/src/lib.rs:21:30 < /w/src/lib.rs:12:9 [tokio::time::sleep::Sleep]";
        assert_eq!(place.to_string(), expected);
        assert_eq!(place.frames()[0].function(), Some("shop::transfer"));
        assert_eq!(place.frames()[1].function(), None);
    }

    #[test]
    fn the_awaits_of_a_library_are_those_outside_of_the_innermost_future() {
        let file = |line| format!("at /h/.cargo{FETCHED}index-1/db-0.9.0/src/copy.rs:{line}:5");
        let text = format!(
            "0: db::defer::{{{{closure}}}}\n{}\n1: <db::Read as core::future::future::Future>::poll\n\
             2: db::finish::{{{{closure}}}}\n{}\n3: shop::save::{{{{closure}}}}\n at ./src/lib.rs:3:1",
            file(1),
            file(294),
        );
        let place = Trace::parse(&text, Path::new("/w")).place();
        let library: Vec<String> = place
            .library_frames()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(library, ["db-0.9.0/src/copy.rs:294:5"]);
    }

    #[test]
    fn a_name_loses_closures_generics_and_traits() {
        for (name, expected) in [
            ("<a::Sleep as core::future::Future>::poll", "a::Sleep"),
            ("<a::Pool<Db>>::begin::{closure#0}", "a::Pool::begin"),
            ("a::Rx<T>::recv::{{closure}}::{{closure}}", "a::Rx::recv"),
            ("a::f::<u8>", "a::f"),
            ("a::f", "a::f"),
        ] {
            assert_eq!(readable(name).as_deref(), Some(expected));
        }
        assert_eq!(readable("{async_fn#0}<a::T>"), None);
    }

    #[test]
    fn a_position_may_lack_its_column_and_a_file_may_have_colons() {
        let read = |text| {
            let read = position(text, Path::new("/w"))?;
            Some((
                read.file.to_string_lossy().into_owned(),
                read.line,
                read.column,
            ))
        };
        assert_eq!(read("./a.rs:3:7"), Some(("/w/a.rs".to_owned(), 3, 7)));
        assert_eq!(read("/a.rs:3"), Some(("/a.rs".to_owned(), 3, 0)));
        assert_eq!(read("/a:b.rs:3:7"), Some(("/a:b.rs".to_owned(), 3, 7)));
        assert_eq!(read("nowhere"), None);
    }

    #[test]
    fn an_await_that_was_passed_in_the_same_poll_is_known_by_its_function() {
        let at = |text| Trace::parse(text, Path::new("/w"));
        let first = "0: a::Sleep::poll\n1: f::{{closure}}\n at ./a.rs:1:1\n2: root\n at ./a.rs:9:9";
        let then = "0: a::Lock::poll\n1: f::{{closure}}\n at ./a.rs:2:1\n2: root\n at ./a.rs:9:9";
        let branch = "0: a::Lock::poll\n1: g::{{closure}}\n at ./a.rs:2:1\n2: root\n at ./a.rs:9:9";
        let one = "0: a::Sleep::poll\n1: a::Both::poll\n at ./a.rs:1:1";
        let two = "0: a::Lock::poll\n1: a::Both::poll\n at ./a.rs:2:1";
        assert!(at(first).is_passed_by(&at(then)));
        assert!(!at(first).is_passed_by(&at(first)));
        assert!(!at(first).is_passed_by(&at(branch)));
        assert!(!at(one).is_passed_by(&at(two)));
    }
}
