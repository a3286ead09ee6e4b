//! The rules: one file each, with an id, an explanation and a check.

pub(crate) mod allow_comment;
pub(crate) mod background;
pub(crate) mod bare_spawn;
pub(crate) mod bare_timer;
pub(crate) mod context_in_struct;
pub(crate) mod context_not_first;
pub(crate) mod context_not_named_ctx;
pub(crate) mod context_not_passed;
pub(crate) mod guard_dropped;
pub(crate) mod infrastructure_in_key;
pub(crate) mod reassigned_in_loop;
pub(crate) mod secret_key_prints;
pub(crate) mod todo;
