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

/// What a rule is called and why it exists.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The name in reports, comments and the configuration.
    pub(crate) id: &'static str,
    /// One line for `--list`.
    pub(crate) summary: &'static str,
    /// The text of `--explain`: what, why, the repair, and where the rule stays silent.
    pub(crate) explain: &'static str,
}

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
