//! The rules about `// ctx-lint: allow(…)` comments themselves.

use crate::rule::Rule;

/// An exception that does not say why.
pub(crate) const WITHOUT_REASON: Rule = Rule {
    id: "allow-without-reason",
    summary: "an allow comment that gives no reason",
    explain: "\
An exception is read long after it was written, by a reader who wonders whether it still holds.
So the reason is part of the comment, and a comment without one allows nothing.

    // ctx-lint: allow(context-in-struct)
    // ctx-lint: allow(context-in-struct) the connection is the request: it lives as long
",
};

/// An exception that excepts nothing.
pub(crate) const UNUSED: Rule = Rule {
    id: "unused-allow",
    summary: "an allow comment with no finding to allow",
    explain: "\
The code under the comment has been repaired, moved or deleted.
A comment that stays behind hides the next finding in its place, so take it away.

A comment at the end of a line covers that line; one on a line of its own covers the item,
statement or field that starts below it.
",
};

/// An exception from a rule that does not exist.
pub(crate) const UNKNOWN_RULE: Rule = Rule {
    id: "unknown-rule",
    summary: "an allow comment names a rule that does not exist",
    explain: "\
The name is misspelt, or the rule has been renamed or withdrawn.
Until it is corrected the comment allows nothing by that name.
`cargo ctx-lint --list` prints all names.
",
};

/// A comment that starts like an exception and is none.
pub(crate) const MALFORMED: Rule = Rule {
    id: "malformed-allow",
    summary: "a `ctx-lint:` comment that cannot be read",
    explain: "\
The one form is

    // ctx-lint: allow(rule, another-rule) the reason, in words
",
};
