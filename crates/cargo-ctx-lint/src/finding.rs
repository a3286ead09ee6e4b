//! What a rule reports, before it is printed.

use std::ops::Range;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The rule is off.
    Allow,
    /// Reported, without a say in the exit status.
    Warn,
    /// Reported, and the exit status is 1.
    Deny,
}

/// One replacement of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The bytes to replace.
    pub(crate) range: Range<usize>,
    /// What to put there.
    pub(crate) replacement: String,
}

/// The replacements that repair a finding together, in the order of the text.
pub(crate) type Fix = Vec<Edit>;

/// One finding in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's id.
    pub(crate) rule: &'static str,
    /// How much it matters, once the configuration has spoken.
    pub(crate) level: Level,
    /// The bytes to point at.
    pub(crate) range: Range<usize>,
    /// What is wrong, as one line.
    pub(crate) message: String,
    /// What to write under the place.
    pub(crate) label: String,
    /// What to do about it, with the code that does it.
    pub(crate) help: String,
    /// The repair, where there is one right answer.
    pub(crate) fix: Option<Fix>,
}
