//! How findings are printed.

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod sarif;
