//! The rules: one file each, with an id, an explanation and a check.

pub(crate) mod allow_comment;
pub(crate) mod background;
pub(crate) mod bare_spawn;
pub(crate) mod bare_timer;
pub(crate) mod cancel_swallowed;
pub(crate) mod context_in_static;
pub(crate) mod context_in_struct;
pub(crate) mod context_not_first;
pub(crate) mod context_not_named_ctx;
pub(crate) mod context_not_passed;
pub(crate) mod context_parameter_type;
pub(crate) mod derived_unused;
pub(crate) mod ended_context;
pub(crate) mod guard_dropped;
pub(crate) mod guard_outlived;
pub(crate) mod infrastructure_in_key;
pub(crate) mod old_spelling;
pub(crate) mod outer_context_in_body;
pub(crate) mod reassigned_in_loop;
pub(crate) mod secret_key_prints;
pub(crate) mod task_context_ignored;
pub(crate) mod todo;
pub(crate) mod unending_wait;
