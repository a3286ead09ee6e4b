//! Work under a context that has ended.

use syn::{Expr, ExprAwait, ExprMethodCall};

use crate::chain::peel;
use crate::cx::{Cx, range_of, span_of};
use crate::rule::Rule;

/// Clean-up that an ended context refuses.
pub(crate) const RULE: Rule = Rule {
    id: "ended-context-used",
    summary: "work handed to a context that has certainly ended",
    explain: "\
Behind `ctx.done().await`, and behind a loop that only its end leaves, a context refuses all work:
clean-up under it does not begin.

    ctx.done().await;
    queue.flush(ctx).await?;

    ctx.done().await;
    let shield = ctx.without_cancel().with_timeout(GRACE);
    queue.flush(&shield).await?;

In a scope, `s.defer(…)` runs clean-up under such a context. Silent where the context only may have
ended, and where it is asked for its error, its name or its values.
",
};

/// Called for every method call.
pub(crate) fn check_run(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    if call.method == "run" && cx.has_ended(&call.receiver) && !cx.harness {
        report(cx, range_of(&[call.method.span()]), &call.receiver);
    }
}

/// Called for every `.await`.
pub(crate) fn check_await(cx: &mut Cx<'_>, expr: &ExprAwait) {
    let args = match peel(&expr.base) {
        Expr::Call(call) => &call.args,
        Expr::MethodCall(call) => &call.args,
        _ => return,
    };
    if cx.harness {
        return;
    }
    if let Some(ended) = args.iter().find(|arg| cx.has_ended(arg)) {
        report(cx, range_of(&[span_of(ended)]), ended);
    }
}

fn report(cx: &mut Cx<'_>, range: std::ops::Range<usize>, ended: &Expr) {
    let name = match peel(ended) {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    };
    let name = name.unwrap_or_else(|| "ctx".to_owned());
    cx.report(
        &RULE,
        range,
        format!("work under `{name}`, which has ended here"),
        "does not begin",
        format!("work under a shield with a limit: `{name}.without_cancel().with_timeout(…)`"),
        None,
    );
}
