//! The names this tool knows: ours, and the few of tokio it has an opinion on.

use super::data::Def;

/// The crates whose types are ours.
const CRATES: [&str; 6] = [
    "tokio_ctx",
    "tokio_ctx_core",
    "spawn_scoped",
    "tokio_ctx_tower",
    "tokio_ctx_db",
    "tokio_ctx_view",
];

/// What `use tokio_ctx::*` and its like bring in.
const EXPORTS: [&str; 16] = [
    "Context",
    "CancelGuard",
    "CancelHandle",
    "Cancelled",
    "Reason",
    "Key",
    "OnCancel",
    "Budget",
    "key",
    "scope",
    "Scope",
    "ScopeOptions",
    "Spawner",
    "Task",
    "root",
    "tower",
];

/// What globs of tokio's modules bring in, as far as a rule asks.
const TOKIO: [(&[&str], &[&str]); 6] = [
    (
        &["tokio"],
        &["spawn", "runtime", "task", "task_local", "time", "select"],
    ),
    (&["tokio", "runtime"], &["Handle", "Runtime"]),
    (
        &["tokio", "task"],
        &[
            "spawn",
            "spawn_blocking",
            "spawn_local",
            "JoinSet",
            "LocalSet",
        ],
    ),
    (
        &["tokio", "time"],
        &["sleep", "sleep_until", "timeout", "timeout_at"],
    ),
    (&["tokio_util", "task"], &["TaskTracker", "JoinMap"]),
    (&["std", "thread"], &["spawn", "sleep", "Builder"]),
];

/// Types that start tasks or threads without asking a context.
const STARTERS: [&[&str]; 7] = [
    &["tokio", "runtime", "Handle"],
    &["tokio", "runtime", "Runtime"],
    &["tokio", "task", "JoinSet"],
    &["tokio", "task", "LocalSet"],
    &["tokio_util", "task", "TaskTracker"],
    &["tokio_util", "task", "JoinMap"],
    &["std", "thread", "Builder"],
];

/// Functions of `tokio_ctx` and `spawn_scoped` whose closure is the body of a scope.
const BODIES: [&str; 3] = ["scope", "collect_all", "supervise"];

/// Whether a type of another crate starts tasks or threads without asking a context.
pub(crate) fn is_starter(def: &Def) -> bool {
    is_one_of(def, &STARTERS)
}

/// Whether a path means one of these items of other crates.
pub(crate) fn is_one_of(def: &Def, paths: &[&[&str]]) -> bool {
    let Def::External(path) = def else {
        return false;
    };
    paths.iter().any(|known| {
        known.len() == path.len() && known.iter().zip(path).all(|(known, name)| known == name)
    })
}

/// Whether a path means a function of ours that opens a scope, its closure being the body.
pub(crate) fn opens_scope(def: &Def) -> bool {
    let Def::External(path) = def else {
        return false;
    };
    let [krate, .., name] = path.as_slice() else {
        return false;
    };
    is_our_crate(krate) && BODIES.contains(&name.as_str())
}

/// An item of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    /// `tokio_ctx::Context`.
    Context,
    /// `tokio_ctx::CancelGuard`.
    Guard,
    /// `spawn_scoped::Scope` or `Spawner`.
    Scope,
    /// `spawn_scoped::ScopeOptions`.
    Options,
    /// The `tokio_ctx::Key` trait.
    Key,
    /// The `tokio_ctx::key!` macro.
    KeyMacro,
}

impl Ours {
    /// Which item of ours a path means, if one.
    pub(crate) fn of(def: &Def) -> Option<Ours> {
        let Def::External(path) = def else {
            return None;
        };
        let [krate, modules @ .., name] = path.as_slice() else {
            return None;
        };
        // A segment in between that is a type makes it an associated item, not an export.
        let through_type = modules
            .iter()
            .any(|m| m.chars().next().is_some_and(char::is_uppercase));
        if !is_our_crate(krate) || through_type {
            return None;
        }
        Some(match name.as_str() {
            "Context" => Ours::Context,
            "CancelGuard" => Ours::Guard,
            "Scope" | "Spawner" => Ours::Scope,
            "ScopeOptions" => Ours::Options,
            "Key" => Ours::Key,
            "key" => Ours::KeyMacro,
            _ => return None,
        })
    }
}

/// Whether a crate's types are ours.
pub(crate) fn is_our_crate(name: &str) -> bool {
    CRATES.contains(&name)
}

/// The full path of `name` as a glob of the external module brings it in.
pub(super) fn exported(module: &[String], name: &str) -> Option<Vec<String>> {
    let known = if is_our_crate(module.first()?) {
        EXPORTS.contains(&name)
    } else {
        TOKIO.iter().any(|(path, names)| {
            path.len() == module.len()
                && path.iter().zip(module).all(|(a, b)| a == b)
                && names.contains(&name)
        })
    };
    known.then(|| [module, &[name.to_owned()]].concat())
}
