//! What is done about tasks that do not stop: they are reported, and aborted after a grace.

pub(crate) mod reports;
pub(crate) mod straggler;
pub(crate) mod waiting;
