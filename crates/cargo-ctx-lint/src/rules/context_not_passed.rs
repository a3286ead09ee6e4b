//! A new root in a function that was handed a context.

use std::ops::Range;

use crate::cx::Cx;
use crate::finding::Edit;
use crate::rule::Rule;

/// The context at hand is put aside for one made from nothing.
pub(crate) const RULE: Rule = Rule {
    id: "context-not-passed",
    summary: "a function that has a context makes a new one from nothing",
    explain: "\
The caller's deadline, cancellation and values end at the call that gets the new context.

    async fn charge(ctx: &Context, order: &Order) -> Result<(), Error> {
        bank::pay(&Context::background(), order.total).await
    }

    async fn charge(ctx: &Context, order: &Order) -> Result<(), Error> {
        bank::pay(ctx, order.total).await
    }

Work that must outlive the request is detached, not re-rooted: `ctx.without_cancel()` keeps the
values and drops the lifetime, `ctx.detach_onto(&server)` puts the work under a lifetime that
somebody ends.

A parameter that starts with an underscore counts as unused on purpose.
",
};

/// Called for a mention of `Context::background` or `Context::todo`, by `maker`, in a
/// function that was handed the context `ctx`. `called` is the whole call, where it is one.
pub(crate) fn check(
    cx: &mut Cx<'_>,
    range: Range<usize>,
    called: Option<Range<usize>>,
    maker: &str,
    ctx: &str,
) {
    let message = format!("`Context::{maker}()` although `{ctx}` is at hand");
    let label = format!("the deadline and cancellation of `{ctx}` do not reach this");
    let help = format!(
        "pass `{ctx}` on; for work that outlives the caller, `{ctx}.without_cancel()` or \
         `{ctx}.detach_onto(&server)`"
    );
    // `&Context::background()` becomes `ctx` only if `ctx` is a reference, which a rewrite
    // cannot know; `ctx.clone()` is right for both.
    let fix = called.map(|range| {
        vec![Edit {
            range,
            replacement: format!("{ctx}.clone()"),
        }]
    });
    cx.report(&RULE, range, message, &label, help, fix);
}
