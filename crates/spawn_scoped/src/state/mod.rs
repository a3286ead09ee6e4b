//! One scope: what its handles, its tasks and its future share.

pub(crate) mod adopt;
mod background;
pub(crate) mod cleanup;
pub(crate) mod failures;
mod outcomes;
pub(crate) mod shared;
mod ticket;
pub(crate) mod tree;
