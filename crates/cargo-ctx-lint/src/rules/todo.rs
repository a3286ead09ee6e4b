//! `Context::todo()` that is still there.

use std::ops::Range;

use crate::cx::Cx;
use crate::rule::Rule;

/// A context that was to come later.
pub(crate) const RULE: Rule = Rule {
    id: "todo-outside-root",
    summary: "`Context::todo()` left outside main, tests and other roots",
    explain: "\
`Context::todo()` says: a context is missing here, and somebody will bring one. It behaves like
`Context::background()`, so until then nothing below can be cancelled.

    save(&Context::todo(), row).await?;        // while `handle` has no context yet

    async fn handle(ctx: &Context, row: Row) -> Result<(), Error> {
        save(ctx, row).await
    }

In the middle of a change, set the rule to `\"warn\"` in ctx-lint.toml: the places are listed and
the exit status stays 0.
",
};

/// Called for a mention of `Context::todo` in a function without a context.
pub(crate) fn check(cx: &mut Cx<'_>, range: Range<usize>) {
    let message = match cx.function() {
        Some(name) => format!("`{name}` still works on a placeholder context"),
        None => "a placeholder context outside any function".to_owned(),
    };
    let help = match cx.function() {
        Some(name) => format!("take the caller's: `fn {name}(ctx: &Context, …)`"),
        None => "make it in `main` and hand it down as `ctx: &Context`".to_owned(),
    };
    cx.report(
        &RULE,
        range,
        message,
        "nothing below can be cancelled",
        help,
        None,
    );
}
