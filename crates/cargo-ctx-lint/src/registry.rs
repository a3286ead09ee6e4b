//! All rules, by name.

use crate::rule::Rule;
use crate::rules::{
    allow_comment, background, bare_spawn, bare_timer, cancel_swallowed, context_in_static,
    context_in_struct, context_not_first, context_not_named_ctx, context_not_passed,
    context_parameter_type, derived_unused, ended_context, guard_dropped, guard_outlived,
    infrastructure_in_key, old_spelling, outer_context_in_body, reassigned_in_loop,
    secret_key_prints, task_context_ignored, todo, unending_wait,
};

/// Every rule, in the order of `--list`.
pub(crate) const ALL: [&Rule; 26] = [
    &context_in_struct::RULE,
    &context_in_static::RULE,
    &background::RULE,
    &todo::RULE,
    &context_not_first::RULE,
    &context_not_named_ctx::RULE,
    &context_parameter_type::RULE,
    &context_not_passed::RULE,
    &bare_spawn::RULE,
    &bare_timer::RULE,
    &unending_wait::RULE,
    &outer_context_in_body::RULE,
    &task_context_ignored::RULE,
    &cancel_swallowed::RULE,
    &ended_context::RULE,
    &derived_unused::RULE,
    &reassigned_in_loop::RULE,
    &guard_dropped::RULE,
    &guard_outlived::FORGOTTEN,
    &infrastructure_in_key::RULE,
    &secret_key_prints::RULE,
    &old_spelling::RULE,
    &allow_comment::WITHOUT_REASON,
    &allow_comment::UNUSED,
    &allow_comment::UNKNOWN_RULE,
    &allow_comment::MALFORMED,
];

/// The rule of that id.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    ALL.into_iter().find(|rule| rule.id == id)
}

/// The names of all rules.
pub(crate) fn ids() -> Vec<&'static str> {
    ALL.into_iter().map(|rule| rule.id).collect()
}
