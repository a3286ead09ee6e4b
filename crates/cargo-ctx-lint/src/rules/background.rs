//! `Context::background()` where no root is.

use std::ops::Range;

use syn::{Expr, ExprCall};

use super::context_not_passed;
use crate::chain::peel;
use crate::cx::{Cx, range_of, span_of};
use crate::finding::Edit;
use crate::rule::Rule;

/// A context made from nothing in the middle of a program.
pub(crate) const RULE: Rule = Rule {
    id: "background-outside-root",
    summary: "`Context::background()` outside main, tests and other roots",
    explain: "\
`Context::background()` is never cancelled and has no deadline. It belongs where work begins:
in `main`, in tests, in the handler of a signal. Anywhere else it cuts the chain: the
caller can no longer stop what the function does, and its deadline and values end there.

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

/// Called for every call of a path: `from_token` of a token that nobody else has.
pub(crate) fn check_token(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    if cx.root || cx.harness || cx.constructor(path).as_deref() != Some("from_token") {
        return;
    }
    let range = range_of(&[span_of(path)]);
    match call.args.first().map(peel) {
        Some(Expr::Call(token)) if token.args.is_empty() => {
            let Expr::Path(func) = &*token.func else {
                return;
            };
            let made = path_names(func);
            if made != ["CancellationToken", "new"] && made != ["CancellationToken", "default"] {
                return;
            }
            match cx.env.received() {
                Some(ctx) => {
                    context_not_passed::check(cx, range, None, "from_token", &ctx);
                }
                None => check(cx, range),
            }
        }
        // Out through the token and in again: the cause, the deadline and the values are lost.
        Some(Expr::MethodCall(token)) if token.method == "token" => {
            let holds = cx.holds(&token.receiver);
            if !holds.is_context() {
                return;
            }
            let text = cx
                .text
                .slice(&range_of(&[span_of(&token.receiver)]))
                .to_owned();
            cx.report(
                &context_not_passed::RULE,
                range,
                format!("a context made of the token of `{text}`"),
                "has neither its cause, nor its deadline, nor its values",
                format!("pass the context itself: `{text}.clone()`"),
                Some(vec![Edit {
                    range: range_of(&[span_of(call)]),
                    replacement: format!("{text}.clone()"),
                }]),
            );
        }
        _ => {}
    }
}

fn path_names(path: &syn::ExprPath) -> Vec<String> {
    let last_two = path.path.segments.iter().rev().take(2);
    let mut names: Vec<String> = last_two.map(|s| s.ident.to_string()).collect();
    names.reverse();
    names
}

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
