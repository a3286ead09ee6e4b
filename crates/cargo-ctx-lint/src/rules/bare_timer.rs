//! A sleep or a timeout that does not know the context at hand.

use proc_macro2::Span;
use syn::ExprCall;

use crate::cx::{Cx, range_of};
use crate::resolve::{Def, Namespace};
use crate::rule::Rule;

/// Waiting that cancellation does not cut short.
pub(crate) const RULE: Rule = Rule {
    id: "bare-timer",
    summary: "a bare `sleep` or `timeout` awaited in a function that has a context",
    explain: "\
A bare sleep goes on after the context has ended; a bare timeout sets a deadline that the code
below cannot see.

    tokio::time::sleep(pause).await;
    let row = tokio::time::timeout(limit, query(id)).await??;

    ctx.run(tokio::time::sleep(pause)).await?;
    let ctx = ctx.with_timeout(limit);
    let row = query(&ctx, id).await?;

Silent inside `ctx.run(…)`, `fut.with_context(&ctx)`, `spawn_cancellable`, and a `select!` that
has a branch on the context; where the future is kept instead of awaited on the spot; where the
timed-out future already names the context; after the context has ended, where a grace period is
timed (behind `ctx.done().await`, or a `select!` or loop that only a branch on it leaves); in
tests.
",
};

/// Called for a call that is awaited on the spot.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    if cx.covered {
        return;
    }
    let Some(ctx) = cx.running() else { return };
    let Def::External(target) = cx.resolve(path, Namespace::Value) else {
        return;
    };
    let ["tokio", "time", name] = target.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return;
    };
    let wraps = match name {
        "sleep" | "sleep_until" => false,
        "timeout" | "timeout_at" => true,
        _ => return,
    };
    if wraps && call.args.iter().skip(1).any(|arg| cx.env.mentions(arg)) {
        return;
    }
    let (message, label, help) = if wraps {
        let derive = if name == "timeout" {
            "with_timeout"
        } else {
            "with_deadline"
        };
        (
            format!("a `{name}` that `{ctx}` knows nothing of"),
            "cancellation does not reach the future inside, nor does this deadline",
            format!(
                "let the context carry it: `{ctx}.{derive}(…).run(fut).await`, and pass that \
                 context on to `fut`"
            ),
        )
    } else {
        (
            format!("a `{name}` that goes on after `{ctx}` has ended"),
            "not cut short by cancellation",
            format!("wait under the context: `{ctx}.run({name}(…)).await?`"),
        )
    };
    let spans: Vec<Span> = path
        .segments
        .iter()
        .map(|segment| segment.ident.span())
        .collect();
    cx.report(&RULE, range_of(&spans), message, label, help, None);
}
