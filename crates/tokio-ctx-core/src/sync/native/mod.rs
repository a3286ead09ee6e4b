//! The back end of every ordinary build: tokio's timers, and threads beside them.

pub(crate) mod helper;
pub(crate) mod timer;
