//! `cargo ctx-lint` as its users run it: the real binary on real files.

mod corpus;
mod fixes;
mod output;
mod promises;
mod support;
mod workspaces;
