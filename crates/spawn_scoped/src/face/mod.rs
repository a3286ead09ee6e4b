//! What users call.

pub(crate) mod options;
pub mod policy;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod snapshot;
pub(crate) mod spawn;
pub(crate) mod start;
