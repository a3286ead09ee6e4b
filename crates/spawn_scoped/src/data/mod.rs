//! Plain data: what a task, a scope and a failure are. Knows no other room.

pub(crate) mod cleanup;
pub(crate) mod config;
pub(crate) mod entry;
pub(crate) mod failure;
pub(crate) mod task_snapshot;
pub(crate) mod text;
