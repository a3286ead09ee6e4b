//! `Context::background()` where no root is.

use std::ops::Range;

use crate::cx::Cx;
use crate::rule::Rule;

/// A context made from nothing in the middle of a program.
pub(crate) const RULE: Rule = Rule {
    id: "background-outside-root",
    summary: "`Context::background()` outside main, tests and other roots",
    explain: "\
`Context::background()` is never cancelled and has no deadline. It belongs where work begins:
in `main`, in tests, in the handler of a signal. Anywhere else it cuts the chain: whoever called
the function can no longer stop what it does, and its deadline and values end there.

    async fn load(id: u64) -> Result<Row, Error> {
        query(&Context::background(), id).await            // nobody can stop this query
    }

    async fn load(ctx: &Context, id: u64) -> Result<Row, Error> {
        query(ctx, id).await
    }

Roots are `fn main`, functions with an attribute named `main` or `test`, everything under
`#[cfg(test)]`, `tests/` and `benches/`, `main` of examples and build scripts, functions with
an `extern` ABI, and the functions that `roots` in ctx-lint.toml names.

Where the function has been handed a context, the finding is `context-not-passed` instead.
Where the context will come later, write `Context::todo()`, which `todo-outside-root` counts.
",
};

/// Called for a mention of `Context::background` in a function without a context.
pub(crate) fn check(cx: &mut Cx<'_>, range: Range<usize>) {
    let (message, help) = match cx.function() {
        Some(name) => (
            format!("`{name}` makes a context that nobody can cancel"),
            format!(
                "take the caller's: `fn {name}(ctx: &Context, …)`; if `{name}` is where work \
                 begins, name it in `roots` of ctx-lint.toml"
            ),
        ),
        None => (
            "a context that nobody can cancel, outside any function".to_owned(),
            "make it in `main` and hand it down as `ctx: &Context`".to_owned(),
        ),
    };
    cx.report(
        &RULE,
        range,
        message,
        "the chain of cancellation ends here",
        help,
        None,
    );
}
