//! What users call.

pub(crate) mod defer;
pub(crate) mod launch;
pub(crate) mod options;
pub mod policy;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod snapshot;
mod spawn;
pub(crate) mod spawner;
pub(crate) mod start;
pub(crate) mod task;
