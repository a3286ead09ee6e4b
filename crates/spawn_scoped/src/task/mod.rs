//! One task: what runs in the runtime, and its handle.

pub(crate) mod handle;
pub(crate) mod isolated;
pub(crate) mod job;
pub(crate) mod output;
pub(crate) mod work;
