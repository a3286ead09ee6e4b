//! What a rule is called and why it exists.

/// A rule: its name and its words. What it looks at is in the file of that name in `rules`.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The name in reports, comments and the configuration.
    pub(crate) id: &'static str,
    /// One line for `--list`.
    pub(crate) summary: &'static str,
    /// The text of `--explain`: what, why, the repair, and where the rule stays silent.
    pub(crate) explain: &'static str,
}
