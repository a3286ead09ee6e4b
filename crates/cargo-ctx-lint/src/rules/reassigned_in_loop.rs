//! A context that grows with every turn of a loop.

use syn::{Expr, ExprAssign};

use crate::cx::{Cx, peel, range_of, span_of};
use crate::rule::Rule;

/// Each turn derives from the turn before.
pub(crate) const RULE: Rule = Rule {
    id: "context-reassigned-in-loop",
    summary: "a context derived from itself and assigned back in a loop",
    explain: "\
Every turn adds a layer on top of the last one: values pile up, deadlines become the earliest of
all turns, and the chain grows for as long as the loop runs.

    let mut ctx = ctx.clone();
    for item in items {
        ctx = ctx.with_value::<ItemId>(item.id);
        handle(&ctx, item).await;
    }

    for item in items {
        let ctx = ctx.with_value::<ItemId>(item.id);
        handle(&ctx, item).await;
    }

Silent where the new context comes from another one (`ctx = parent.with_timeout(d)`), where a
`let` shadows, where the binding is made inside the loop, where the block that assigns ends in
`break` or `return`, and in test code, which builds deep chains on purpose.
",
};

const DEEPER: [&str; 11] = [
    "with_cancel",
    "with_timeout",
    "with_timeout_cause",
    "with_deadline",
    "with_deadline_cause",
    "with_budget",
    "with_value",
    "without_value",
    "with_name",
    "merge",
    "map",
];

/// Called for every assignment.
pub(crate) fn check(cx: &mut Cx<'_>, assign: &ExprAssign) {
    // A test that builds a deep chain means to.
    if cx.harness {
        return;
    }
    let Some(loop_depth) = cx.loop_to_grow_in else {
        return;
    };
    let target = match &*assign.left {
        Expr::Path(left) => {
            let Some(ident) = left.path.get_ident() else {
                return;
            };
            let Some((holds, depth)) = cx.env.lookup(&ident.to_string()) else {
                return;
            };
            if !holds.is_context() || depth > loop_depth {
                return;
            }
            ident
        }
        Expr::Field(left) => {
            let syn::Member::Named(ident) = &left.member else {
                return;
            };
            if !cx.holds(&assign.left).is_context() {
                return;
            }
            ident
        }
        _ => return,
    };
    let mut deeper = false;
    let mut base = peel(&assign.right);
    while let Expr::MethodCall(call) = base {
        deeper |= DEEPER.iter().any(|name| call.method == name);
        base = peel(&call.receiver);
    }
    if !deeper || !same_place(&assign.left, base) {
        return;
    }
    cx.report(
        &RULE,
        range_of(&[span_of(&assign.left), target.span()]),
        format!("`{target}` grows by a layer with every turn of the loop"),
        "derived from itself and assigned back",
        format!("shadow it for this turn only: `let {target} = {target}.…;`"),
        None,
    );
}

/// Whether two expressions are the same variable or field path.
fn same_place(a: &Expr, b: &Expr) -> bool {
    match (peel(a), peel(b)) {
        (Expr::Path(a), Expr::Path(b)) => {
            a.path.get_ident().is_some() && a.path.get_ident() == b.path.get_ident()
        }
        (Expr::Field(a), Expr::Field(b)) => {
            let same_name = match (&a.member, &b.member) {
                (syn::Member::Named(a), syn::Member::Named(b)) => a == b,
                (syn::Member::Unnamed(a), syn::Member::Unnamed(b)) => a.index == b.index,
                _ => false,
            };
            same_name && same_place(&a.base, &b.base)
        }
        _ => false,
    }
}
