//! Everything known about the names of a workspace, and following a path through it.

use std::collections::{HashMap, HashSet};

use super::data::{Def, Facts, Name, Namespace, PathRef, Scope, Shape};
use super::names;

/// How one package names other crates.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackageNames {
    /// Dependencies under another name: the name in the code, the crate's own name.
    pub(crate) renames: HashMap<String, String>,
}

/// Everything known about the workspace's names.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    modules: HashMap<Vec<String>, Scope>,
    types: HashMap<Vec<String>, Shape>,
    aliases: HashMap<Vec<String>, Vec<PathRef>>,
    calls: HashSet<Vec<String>>,
    test_modules: HashSet<Vec<String>>,
    packages: HashMap<String, PackageNames>,
    libraries: HashMap<String, String>,
}

/// Imports that lead through more than this many others are not followed.
const MAX_HOPS: usize = 24;

impl Tables {
    /// Starts with what the manifests say: names of dependencies per package, and the crate
    /// key of each library.
    pub(crate) fn new(
        packages: HashMap<String, PackageNames>,
        libraries: HashMap<String, String>,
    ) -> Tables {
        Tables {
            packages,
            libraries,
            ..Tables::default()
        }
    }

    /// Adds what a file tells.
    pub(crate) fn add(&mut self, facts: Facts) {
        for (path, scope) in facts.modules {
            for end in 1..path.len() {
                self.modules.entry(path[..end].to_vec()).or_default();
            }
            let known = self.modules.entry(path).or_default();
            known.globs.extend(scope.globs);
            for (name, meanings) in scope.names {
                known.names.entry(name).or_default().extend(meanings);
            }
        }
        self.aliases.extend(facts.aliases);
        self.types.extend(facts.types);
        self.calls.extend(facts.calls);
        self.test_modules.extend(facts.test_modules);
    }

    /// Whether the module, or one around it, was declared under `#[cfg(test)]`.
    pub(crate) fn is_test_module(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|end| self.test_modules.contains(&module[..end]))
    }

    /// The fields of a type of the workspace.
    pub(crate) fn fields(&self, local: &[String]) -> Option<&Shape> {
        self.types.get(local)
    }

    /// Whether a path of a type leads to `Context`, or to an alias that holds one.
    pub(crate) fn holds_context(
        &self,
        module: &[String],
        blocks: &[Scope],
        path: &PathRef,
    ) -> bool {
        self.leads_to_context(module, blocks, path, 0)
    }

    fn leads_to_context(
        &self,
        module: &[String],
        blocks: &[Scope],
        path: &PathRef,
        depth: usize,
    ) -> bool {
        let def = self.resolve(module, blocks, path, Namespace::Type);
        if names::Ours::of(&def) == Some(names::Ours::Context) {
            return true;
        }
        let Def::Local(local) = def else { return false };
        let Some(held) = self.aliases.get(&local).filter(|_| depth < MAX_HOPS) else {
            return false;
        };
        let home = &local[..local.len() - 1];
        held.iter()
            .any(|path| self.leads_to_context(home, &[], path, depth + 1))
    }

    /// Whether the type is one call made into a value.
    pub(crate) fn is_call(&self, local: &[String]) -> bool {
        self.calls.contains(local)
    }

    /// Adds to a package's messages what those messages are made of: a struct inside an
    /// enum that is sent is sent with it.
    pub(crate) fn close_over_fields(&self, package: &str, messages: &mut HashSet<String>) {
        let mut by_name: HashMap<&str, Vec<&Shape>> = HashMap::new();
        for (path, shape) in &self.types {
            if let (Some(key), Some(name)) = (path.first(), path.last()) {
                if key.split('#').next() == Some(package) {
                    by_name.entry(name).or_default().push(shape);
                }
            }
        }
        let mut open: Vec<String> = messages.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let shapes = by_name.get(name.as_str()).into_iter().flatten();
            for inner in shapes.flat_map(|shape| &shape.paths) {
                let Some(last) = inner.segments.last() else {
                    continue;
                };
                if messages.insert(last.clone()) {
                    open.push(last.clone());
                }
            }
        }
    }

    /// Whether a name of a module leads to one of our crates.
    pub(crate) fn is_ours(&self, module: &[String], name: &str) -> bool {
        let path = PathRef {
            global: false,
            segments: vec![name.to_owned()],
        };
        match self.resolve(module, &[], &path, Namespace::Type) {
            Def::External(path) => names::is_our_crate(&path[0]),
            Def::Local(_) | Def::Unknown => false,
        }
    }

    /// Adds to the calls what they are made of: the state of a future is the future.
    pub(crate) fn close_over_calls(&mut self) {
        let mut open: Vec<Vec<String>> = self.calls.iter().cloned().collect();
        while let Some(path) = open.pop() {
            let Some(shape) = self.types.get(&path) else {
                continue;
            };
            let module = &path[..path.len() - 1];
            let inner = shape
                .paths
                .iter()
                .map(|p| self.resolve(module, &[], p, Namespace::Type));
            for def in inner.collect::<Vec<_>>() {
                if let Def::Local(local) = def {
                    if self.types.contains_key(&local) && self.calls.insert(local.clone()) {
                        open.push(local);
                    }
                }
            }
        }
    }

    /// What `path` means in `module`, seen from inside the given blocks.
    pub(crate) fn resolve(
        &self,
        module: &[String],
        blocks: &[Scope],
        path: &PathRef,
        namespace: Namespace,
    ) -> Def {
        self.follow(module, blocks, path, namespace, 0)
    }

    fn follow(
        &self,
        module: &[String],
        blocks: &[Scope],
        path: &PathRef,
        namespace: Namespace,
        hops: usize,
    ) -> Def {
        let Some((first, rest)) = path.segments.split_first() else {
            return Def::Unknown;
        };
        if hops > MAX_HOPS {
            return Def::Unknown;
        }
        if path.global {
            return self.in_crate(module, &path.segments, namespace, hops);
        }
        match first.as_str() {
            "crate" => return self.descend(join(&module[..1], rest), namespace, hops),
            "self" => return self.descend(join(module, rest), namespace, hops),
            "Self" => return Def::Unknown,
            "super" => {
                let ups = path.segments.iter().take_while(|s| *s == "super").count();
                if ups >= module.len() {
                    return Def::Unknown;
                }
                let base = &module[..module.len() - ups];
                return self.descend(join(base, &path.segments[ups..]), namespace, hops);
            }
            _ => {}
        }
        let of_first = if rest.is_empty() {
            namespace
        } else {
            Namespace::Type
        };
        for (depth, block) in blocks.iter().enumerate().rev() {
            let found = self.in_scope(block, module, &blocks[..=depth], first, of_first, hops + 1);
            if let Some(def) = found {
                return self.append(def, rest, namespace, hops);
            }
        }
        let here = self.modules.get(module);
        if let Some(def) =
            here.and_then(|scope| self.in_scope(scope, module, &[], first, of_first, hops + 1))
        {
            return self.append(def, rest, namespace, hops);
        }
        self.in_crate(module, &path.segments, namespace, hops)
    }

    /// A path whose first segment is the name of a crate.
    fn in_crate(
        &self,
        module: &[String],
        segments: &[String],
        namespace: Namespace,
        hops: usize,
    ) -> Def {
        let mut segments = segments.to_vec();
        let package = module
            .first()
            .map_or("", |key| key.split('#').next().unwrap_or(""));
        let renamed = self
            .packages
            .get(package)
            .and_then(|names| names.renames.get(&segments[0]));
        if let Some(real) = renamed {
            segments[0].clone_from(real);
        }
        match self.libraries.get(&segments[0]) {
            // Our own crates are what the rules know by name, so their insides stay closed.
            Some(key) if !names::is_our_crate(&segments[0]) => {
                segments[0].clone_from(key);
                self.descend(segments, namespace, hops + 1)
            }
            _ => Def::External(segments),
        }
    }

    /// A name in one scope, if the scope has it.
    fn in_scope(
        &self,
        scope: &Scope,
        module: &[String],
        blocks: &[Scope],
        name: &str,
        namespace: Namespace,
        hops: usize,
    ) -> Option<Def> {
        let mut found: Option<Def> = None;
        for meaning in scope.names.get(name).into_iter().flatten() {
            let def = match meaning {
                Name::Local(of) if *of == namespace => Def::Local(join(module, &[name.to_owned()])),
                Name::Local(_) => continue,
                // `use tokio_ctx;` names the crate, not itself.
                Name::Import(path) if !path.global && path.segments[0] == name => {
                    self.in_crate(module, &path.segments, namespace, hops)
                }
                Name::Import(path) => self.follow(module, blocks, path, namespace, hops + 1),
            };
            match &found {
                None => found = Some(def),
                Some(same) if *same == def => {}
                Some(_) => return Some(Def::Unknown),
            }
        }
        found.or_else(|| self.in_globs(scope, module, blocks, name, namespace, hops))
    }

    fn in_globs(
        &self,
        scope: &Scope,
        module: &[String],
        blocks: &[Scope],
        name: &str,
        namespace: Namespace,
        hops: usize,
    ) -> Option<Def> {
        if hops > MAX_HOPS {
            return None;
        }
        scope.globs.iter().find_map(|glob| {
            // The block itself is left out: a glob cannot name what it brings in.
            let outside = blocks.split_last().map_or(&[][..], |(_, outer)| outer);
            match self.follow(module, outside, glob, Namespace::Type, hops + 1) {
                Def::External(path) => names::exported(&path, name).map(Def::External),
                Def::Local(path) => {
                    let target = self.modules.get(&path)?;
                    self.in_scope(target, &path, &[], name, namespace, hops + 1)
                }
                Def::Unknown => None,
            }
        })
    }

    fn append(&self, def: Def, rest: &[String], namespace: Namespace, hops: usize) -> Def {
        if rest.is_empty() {
            return def;
        }
        match def {
            Def::External(path) => Def::External(join(&path, rest)),
            Def::Local(path) => self.descend(join(&path, rest), namespace, hops + 1),
            Def::Unknown => Def::Unknown,
        }
    }

    /// An absolute path: walks modules as far as they are known, then imports.
    fn descend(&self, path: Vec<String>, namespace: Namespace, hops: usize) -> Def {
        if hops > MAX_HOPS {
            return Def::Unknown;
        }
        let mut here = 1;
        while here < path.len() {
            let last = here + 1 == path.len();
            let module = &path[..here];
            let of_name = if last { namespace } else { Namespace::Type };
            if of_name == Namespace::Type && self.modules.contains_key(&path[..=here]) {
                here += 1;
                continue;
            }
            let found = self
                .modules
                .get(module)
                .and_then(|s| self.in_scope(s, module, &[], &path[here], of_name, hops + 1));
            return match found {
                Some(Def::Local(same)) if same == path[..=here] => Def::Local(path),
                Some(def) => self.append(def, &path[here + 1..], namespace, hops + 1),
                None => match sibling_root(&path) {
                    Some(other) if here == 1 => self.descend(other, namespace, hops + 1),
                    _ => Def::Local(path),
                },
            };
        }
        Def::Local(path)
    }
}

/// Where a module may also stand: `src/main.rs` declares modules of `src`, and
/// `tests/a.rs` those of `tests/common`.
fn sibling_root(path: &[String]) -> Option<Vec<String>> {
    let (package, target) = path[0].split_once('#')?;
    let (root, rest) = match target.rsplit_once('/') {
        Some((dir, file)) if file != path[1] => (format!("{package}#{dir}/{}", path[1]), 2),
        None if target == "main" => (format!("{package}#"), 1),
        _ => return None,
    };
    Some(join(&[root], &path[rest..]))
}

fn join(base: &[String], rest: &[String]) -> Vec<String> {
    [base, rest].concat()
}
