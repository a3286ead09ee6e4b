//! All rules, by name.

use crate::rule::Rule;
use crate::rules::{
    allow_comment, background, bare_spawn, bare_timer, context_in_struct, context_not_first,
    context_not_named_ctx, context_not_passed, guard_dropped, infrastructure_in_key,
    reassigned_in_loop, secret_key_prints, todo,
};

/// Every rule, in the order of `--list`.
pub(crate) const ALL: [&Rule; 16] = [
    &context_in_struct::RULE,
    &background::RULE,
    &todo::RULE,
    &context_not_first::RULE,
    &context_not_named_ctx::RULE,
    &context_not_passed::RULE,
    &bare_spawn::RULE,
    &bare_timer::RULE,
    &reassigned_in_loop::RULE,
    &guard_dropped::RULE,
    &infrastructure_in_key::RULE,
    &secret_key_prints::RULE,
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
