//! A sleep or a timeout that does not know the context at hand.

use proc_macro2::Span;
use syn::{ExprAwait, ExprCall};

use crate::chain::name_of;
use crate::cx::{Cx, range_of};
use crate::env::Kind;
use crate::resolve::{Def, Namespace, is_one_of};
use crate::rule::Rule;

/// Waiting that cancellation does not cut short.
pub(crate) const RULE: Rule = Rule {
    id: "bare-timer",
    summary: "a bare `sleep` or `timeout` in a function that has a context",
    explain: "\
A bare sleep goes on after the context has ended; a bare timeout sets a deadline that the code
below cannot see.

    tokio::time::sleep(pause).await;
    let row = tokio::time::timeout(limit, query(id)).await??;

    ctx.run(tokio::time::sleep(pause)).await?;
    let ctx = ctx.with_timeout(limit);
    let row = query(&ctx, id).await?;

`std::thread::sleep` in async code is reported as well: it stops the thread, and every task on it.

Silent inside `ctx.run(…)`, in tasks that are dropped when cancelled, and in a `select!` that
has a branch on the context; where the future is kept instead of awaited on the spot, or waits in an
`async` block that somebody else runs; where the
timed-out future already names the context; after the context has ended, where a grace period is
timed (behind `ctx.done().await`, or a `select!` or loop that only a branch on it leaves); in
tests.
",
};

/// Called for every call: sleeping in async code blocks the tasks around as well.
pub(crate) fn check_thread(cx: &mut Cx<'_>, path: &syn::Path) {
    if !cx.in_async {
        return;
    }
    let Some(ctx) = cx.running() else { return };
    let sleeps: [&[&str]; 1] = [&["std", "thread", "sleep"]];
    if !is_one_of(&cx.resolve(path, Namespace::Value), &sleeps) {
        return;
    }
    let spans: Vec<Span> = path.segments.iter().map(|s| s.ident.span()).collect();
    cx.report(
        &RULE,
        range_of(&spans),
        format!("a thread that sleeps on after `{ctx}` has ended"),
        "blocks the runtime, and is not cut short by cancellation",
        format!("wait under the context: `{ctx}.run(tokio::time::sleep(…)).await?`"),
        None,
    );
}

/// Called for every `.await`: a sleep that was kept is awaited here.
pub(crate) fn check_kept(cx: &mut Cx<'_>, expr: &ExprAwait) {
    if cx.covered || cx.deferred || cx.holds(&expr.base).kind != Some(Kind::Timer) {
        return;
    }
    let Some(name) = name_of(&expr.base) else {
        return;
    };
    let Some(ctx) = cx.running() else { return };
    cx.report(
        &RULE,
        range_of(&[name.span()]),
        format!("a sleep that goes on after `{ctx}` has ended"),
        "not cut short by cancellation",
        format!("wait under the context: `{ctx}.run({name}).await?`"),
        None,
    );
}

/// Called for a call that is awaited on the spot.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    if cx.covered || cx.deferred {
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
