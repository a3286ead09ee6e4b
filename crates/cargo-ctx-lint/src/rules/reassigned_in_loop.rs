//! A context that grows with every turn of a loop.

use syn::{Expr, ExprCall, ExprMethodCall};

use crate::chain::{base, name_of, peel};
use crate::cx::{Cx, range_of, span_of};
use crate::env::names;
use crate::resolve::{Namespace, is_one_of};
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

A fold is a loop as well, and so is an assignment by way of another name.

Silent where the new context comes from another one (`ctx = parent.with_timeout(d)`), where a
`let` shadows, where the binding is made inside the loop, where the block that assigns ends in
`break` or `return`, and in test code, which builds deep chains on purpose.
",
};

/// Called for every assignment.
pub(crate) fn check(cx: &mut Cx<'_>, left: &Expr, right: &Expr) {
    // A test that builds a deep chain means to.
    if cx.harness {
        return;
    }
    let Some(loop_depth) = cx.loop_to_grow_in else {
        return;
    };
    let place = place(left);
    let target = match place {
        Expr::Path(path) => {
            let Some(ident) = path.path.get_ident() else {
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
        Expr::Field(field) => {
            let syn::Member::Named(ident) = &field.member else {
                return;
            };
            if !cx.holds(place).is_context() {
                return;
            }
            ident
        }
        _ => return,
    };
    if grows(cx, place, right, loop_depth) {
        let range = range_of(&[span_of(left), target.span()]);
        report(cx, range, &target.to_string());
    }
}

/// Called for every call of a path: `mem::replace` assigns.
pub(crate) fn check_replace(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    let replaces: [&[&str]; 2] = [&["std", "mem", "replace"], &["core", "mem", "replace"]];
    if call.args.len() == 2 && is_one_of(&cx.resolve(path, Namespace::Value), &replaces) {
        check(cx, peel(&call.args[0]), &call.args[1]);
    }
}

/// Called for every method call: a fold assigns what its closure returns.
pub(crate) fn check_fold(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    if cx.harness || (call.method != "fold" && call.method != "try_fold") || call.args.len() != 2 {
        return;
    }
    let Expr::Closure(closure) = &call.args[1] else {
        return;
    };
    let Some(param) = closure.inputs.first().map(names) else {
        return;
    };
    let value = match &*closure.body {
        Expr::Block(body) => match body.block.stmts.last() {
            Some(syn::Stmt::Expr(value, None)) => value,
            _ => return,
        },
        value => value,
    };
    let (base, deeper) = base(value);
    let Some(name) = name_of(base) else { return };
    let folded = param.iter().any(|param| name == param);
    if deeper && folded && cx.holds(&call.args[0]).is_context() {
        report(cx, range_of(&[span_of(value)]), &name.to_string());
    }
}

fn report(cx: &mut Cx<'_>, range: std::ops::Range<usize>, target: &str) {
    cx.report(
        &RULE,
        range,
        format!("`{target}` grows by a layer with every turn of the loop"),
        "derived from itself and assigned back",
        format!("shadow it for this turn only: `let {target} = {target}.…;`"),
        None,
    );
}

/// Whether what is assigned was derived from the place itself, in this turn.
fn grows(cx: &Cx<'_>, place: &Expr, right: &Expr, loop_depth: usize) -> bool {
    if let Expr::Match(expr) = peel(right) {
        return grows(cx, place, &expr.expr, loop_depth);
    }
    let (base, deeper) = base(right);
    if deeper {
        return same_place(place, base);
    }
    // By another name: `let next = ctx.with_value(…); ctx = next;`.
    let by_name = name_of(base).and_then(|name| cx.env.origin(&name.to_string()));
    let (Some((origin, depth)), Some(target)) = (by_name, name_of(place)) else {
        return false;
    };
    target == origin && depth > loop_depth
}

/// The place that is assigned: `ctx` of `*ctx`.
fn place(left: &Expr) -> &Expr {
    match peel(left) {
        Expr::Unary(expr) if matches!(expr.op, syn::UnOp::Deref(_)) => place(&expr.expr),
        expr => expr,
    }
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
