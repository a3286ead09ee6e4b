//! The names this tool knows: ours, and the few of tokio it has an opinion on.

use super::data::Def;

/// The crates whose types are ours.
const CRATES: [&str; 3] = ["tokio_ctx", "spawn_scoped", "tokio_ctx_tower"];

/// What `use tokio_ctx::*` and its like bring in.
const EXPORTS: [&str; 12] = [
    "Context",
    "CancelGuard",
    "CancelHandle",
    "Cancelled",
    "Reason",
    "Key",
    "OnCancel",
    "Budget",
    "ContextExt",
    "key",
    "scope",
    "Scope",
];

/// What globs of tokio's modules bring in, as far as a rule asks.
const TOKIO: [(&[&str], &[&str]); 3] = [
    (&["tokio"], &["spawn", "task", "time", "select"]),
    (&["tokio", "task"], &["spawn", "spawn_local"]),
    (
        &["tokio", "time"],
        &["sleep", "sleep_until", "timeout", "timeout_at"],
    ),
];

/// An item of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    /// `tokio_ctx::Context`.
    Context,
    /// `tokio_ctx::CancelGuard`.
    Guard,
    /// `spawn_scoped::Scope`.
    Scope,
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
            "Scope" => Ours::Scope,
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
