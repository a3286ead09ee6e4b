//! A context that is derived and not used.

use syn::{Block, Expr, ExprMethodCall, Pat, Stmt};

use crate::chain::unwrapped;
use crate::cx::{Cx, range_of};
use crate::rule::Rule;

/// A limit or a value that reaches no callee.
pub(crate) const RULE: Rule = Rule {
    id: "derived-context-unused",
    summary: "a derived context is not used, and the work goes on under the other one",
    explain: "\
Deriving changes nothing in place: the limit or the value is in the context that is returned. Where
that one is not passed on, the work below has neither.

    let limited = ctx.with_timeout(LIMIT);
    index(ctx, text).await?;
    ctx.with_value::<OrderId>(order.id);
    charge(ctx, order).await?;

    let ctx = ctx.with_timeout(LIMIT);
    index(&ctx, text).await?;

Silent where the derived context is named anywhere behind, where no other context is used behind it,
where the drop is spelt out (`drop(…)`), and in tests.
",
};

const DERIVES: [&str; 7] = [
    "with_timeout",
    "with_timeout_cause",
    "with_deadline",
    "with_deadline_cause",
    "with_budget",
    "with_value",
    "without_value",
];

/// Called for every block, with its names still bound.
pub(crate) fn check_block(cx: &mut Cx<'_>, block: &Block) {
    if cx.harness {
        return;
    }
    for (at, stmt) in block.stmts.iter().enumerate() {
        let Stmt::Local(local) = stmt else { continue };
        let (Pat::Ident(pat), Some(init)) = (&local.pat, &local.init) else {
            continue;
        };
        let Some(call) = derivation(cx, &init.expr) else {
            continue;
        };
        let behind = &block.stmts[at + 1..];
        let name = pat.ident.to_string();
        let used = behind.iter().any(|stmt| cx.num_words(stmt, &name) > 0);
        if !used && behind.iter().any(|stmt| uses_context(cx, stmt)) {
            let message = format!("`{name}` is derived and not used");
            report(cx, call, message);
        }
    }
}

/// Called for an expression used as a statement.
pub(crate) fn check_statement(cx: &mut Cx<'_>, expr: &Expr) {
    if cx.harness {
        return;
    }
    if let Some(call) = derivation(cx, expr) {
        report(cx, call, "a context is derived and dropped".to_owned());
    }
}

fn report(cx: &mut Cx<'_>, call: &ExprMethodCall, message: String) {
    let range = range_of(&[call.method.span()]);
    let method = call.method.to_string();
    cx.report(
        &RULE,
        range,
        message,
        "reaches nothing below",
        format!("shadow the other one: `let ctx = ctx.{method}(…);`"),
        None,
    );
}

fn derivation<'e>(cx: &Cx<'_>, expr: &'e Expr) -> Option<&'e ExprMethodCall> {
    let Expr::MethodCall(call) = unwrapped(expr) else {
        return None;
    };
    let derives = DERIVES.iter().any(|name| call.method == name);
    // A guard that is a temporary is another rule's.
    let named = matches!(unwrapped(&call.receiver), Expr::Path(_) | Expr::Field(_));
    (derives && named && cx.holds(&call.receiver).is_context()).then_some(call)
}

fn uses_context(cx: &Cx<'_>, stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Expr(expr, _) => cx.env.mentions(expr),
        Stmt::Local(local) => {
            let init = local.init.as_ref();
            init.is_some_and(|init| cx.env.mentions(&init.expr))
        }
        Stmt::Item(_) | Stmt::Macro(_) => false,
    }
}
