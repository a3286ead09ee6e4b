//! Which item a path means, as far as `use` declarations tell.
//!
//! A rule may only speak about `Context` where the name leads to `tokio_ctx`. So every
//! path is followed through imports, renames, globs, aliases and re-exports of the
//! workspace; what cannot be followed is unknown, and no rule looks at it.
//!
//! Invariants:
//!
//! 1. An unresolved name is never ours. Silence is the answer to doubt.
//! 2. A name with two meanings (two `use` behind different `cfg`) is ours only if both are.
//! 3. A local definition, a type parameter or an explicit `use` shadows a glob.

mod collect;
mod data;
mod names;
mod tables;

pub(crate) use collect::{
    attribute_is_test, cfg_test, collect_block, collect_file, held_paths, path_ref,
};
pub(crate) use data::{Def, Facts, Name, Namespace, Scope, Shape};
pub(crate) use names::{Ours, is_one_of, is_starter, opens_scope};
pub(crate) use tables::{PackageNames, Tables};
