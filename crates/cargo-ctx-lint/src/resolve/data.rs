//! Names and paths, and what a file tells about them.

use std::collections::HashMap;

/// Where a name is looked up; an import counts for all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// Types, traits and modules.
    Type,
    /// Functions, constants and statics.
    Value,
    /// Macros.
    Macro,
}

/// A path as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathRef {
    /// Whether it starts with `::`.
    pub(crate) global: bool,
    /// Its segments, without generic arguments.
    pub(crate) segments: Vec<String>,
}

/// What one name in one scope stands for.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// A `use`, an `extern crate … as`, or a type alias of a plain path.
    Import(PathRef),
    /// Something defined here.
    Local(Namespace),
}

/// The names of one module, or of one block with items in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// What each name may stand for.
    pub(super) names: HashMap<String, Vec<Name>>,
    /// The modules that are brought in whole.
    pub(super) globs: Vec<PathRef>,
}

impl Scope {
    /// Adds a name.
    pub(crate) fn add(&mut self, name: String, meaning: Name) {
        self.names.entry(name).or_default().push(meaning);
    }

    /// Adds a `use path::*`.
    pub(crate) fn add_glob(&mut self, path: PathRef) {
        self.globs.push(path);
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty()
    }
}

/// A type, flattened to what the rules ask about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// Every path in it, the arguments of generics included.
    pub(crate) paths: Vec<PathRef>,
    /// The traits of every `dyn …` in it.
    pub(crate) objects: Vec<PathRef>,
    /// Whether a function pointer or a `dyn Fn…` is in it.
    pub(crate) callback: bool,
}

/// What one file tells the others.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Modules: one for the file, one for each inline `mod`.
    pub(crate) modules: Vec<(Vec<String>, Scope)>,
    /// What aliases hold of other types, by the module and name of the alias.
    pub(crate) aliases: Vec<(Vec<String>, Vec<PathRef>)>,
    /// The fields of structs and enum variants, by the module and name of the type.
    pub(crate) types: Vec<(Vec<String>, Shape)>,
    /// Types that are one call made into a value: futures, streams, iterators, extractors.
    pub(crate) calls: Vec<Vec<String>>,
    /// Modules declared as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<Vec<String>>,
    /// Last names of the types that keys carry.
    pub(crate) key_values: Vec<String>,
    /// Other names that a `use … as` or an alias gives to something, by module and name.
    pub(crate) renames: Vec<Vec<String>>,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Def {
    /// An item of a crate outside the workspace, by its full path.
    External(Vec<String>),
    /// An item or module of the workspace, by crate key and path.
    Local(Vec<String>),
    /// Unknown.
    Unknown,
}
