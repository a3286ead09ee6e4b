//! What the cuts of one test came to.

mod data;
#[cfg(feature = "json")]
mod json;
mod line;
mod markdown;
mod text;

pub(crate) use data::Mode;
pub use data::{Cut, Fault, FaultKind, Outcome, Report};
pub(crate) use line::one_line;
