//! One task: what runs in the runtime, and its handle.

pub(crate) mod handle;
pub(crate) mod job;
pub(crate) mod output;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod work;
