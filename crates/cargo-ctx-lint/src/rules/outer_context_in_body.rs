//! The body of a scope that asks a context of outside.

use syn::ExprMethodCall;

use crate::chain::name_of;
use crate::cx::{Cx, range_of};
use crate::rule::Rule;

/// The body of a scope waits for the end of another lifetime than its scope's.
pub(crate) const RULE: Rule = Rule {
    id: "outer-context-in-body",
    summary: "a loop in the body of a scope that waits under a context of outside",
    explain: "\
A scope has a context of its own. It ends with the one outside, and also when `s.cancel()` is called.
A loop in the body that waits under the outer context does not see that, and the scope hangs.

    scope(ctx, async |s| {
        while let Ok(socket) = ctx.run(listener.accept()).await { … }
        Ok(())
    })

    scope(ctx, async |s| {
        while let Ok(socket) = s.run(listener.accept()).await { … }
        Ok(())
    })

In a `select!`, wait for `s.context().done()`. Silent outside of loops, in tasks (which have a context
of their own), and where the context was made inside the body.
",
};

/// Called for every method call.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    let method = call.method.to_string();
    let waits = ["run", "done", "is_done", "check"].contains(&method.as_str());
    if !waits || cx.in_loop.is_none() || cx.harness {
        return;
    }
    let Some(name) = name_of(&call.receiver).map(ToString::to_string) else {
        return;
    };
    if !cx.holds(&call.receiver).is_context() || !cx.env.is_outside_body(&name) {
        return;
    }
    let Some(scope) = cx.env.scope() else { return };
    let instead = if method == "run" {
        format!("{scope}.run(…)")
    } else {
        format!("{scope}.context().{method}()")
    };
    cx.report(
        &RULE,
        range_of(&[call.method.span()]),
        format!("the body of a scope waits under `{name}`, which is not the scope's"),
        format!("does not see that `{scope}` was cancelled"),
        format!("wait under the scope: `{instead}`"),
        None,
    );
}
