//! A cancel that is thrown away.

use syn::{Block, Expr, ExprMethodCall, Pat, Stmt};

use crate::chain::{awaited_call, peel};
use crate::cx::{Cx, range_of};
use crate::env::Kind;
use crate::resolve::{Namespace, opens_scope};
use crate::rule::Rule;

/// The error that says "stop" is not looked at.
pub(crate) const RULE: Rule = Rule {
    id: "cancel-swallowed",
    summary: "the result of `run`, `check` or `scope` is thrown away where it says \"stop\"",
    explain: "\
An ended context refuses: `ctx.run(…)` returns `Err(Cancelled)` at once and starts nothing. A loop that
throws this away goes through all its turns and does nothing in each, or spins for ever.

    for sink in sinks {
        let _ = ctx.run(sink.flush()).await;
    }
    loop {
        if let Ok(job) = ctx.run(jobs.recv()).await { … }
    }

    for sink in sinks {
        ctx.run(sink.flush()).await?;
    }
    while let Ok(job) = ctx.run(jobs.recv()).await { … }

The result of a scope says more: which task failed, or that one was lost. `let _ = scope(…).await;` is
reported anywhere. Silent outside of loops, in loops that ask the context themselves, and in tests.
",
};

/// Called for every statement.
pub(crate) fn check_statement(cx: &mut Cx<'_>, stmt: &Stmt) {
    if cx.harness {
        return;
    }
    let Some(dropped) = dropped(stmt) else { return };
    if let Some(call) = asks_context(cx, dropped) {
        if cx
            .in_loop
            .is_some_and(|turn| !turn.asks || call.method == "check")
        {
            report_call(cx, call, "the end is thrown away, and the loop goes on");
        }
    } else if let Some(range) = scope_of(cx, dropped) {
        cx.report(
            &RULE,
            range,
            "the outcome of a scope is thrown away".to_owned(),
            "errors, panics and cancels of its tasks end here",
            "pass it on with `?`, or log it: `if let Err(error) = scope(…).await { … }`".to_owned(),
            None,
        );
    }
}

/// Called for the body of a `loop` that does not ask a context otherwise.
pub(crate) fn check_loop(cx: &mut Cx<'_>, body: &Block) {
    if cx.harness {
        return;
    }
    for (at, stmt) in body.stmts.iter().enumerate() {
        let others = body
            .stmts
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at);
        let leaves = others.into_iter().any(|(_, stmt)| {
            ["break", "return"]
                .iter()
                .any(|word| cx.num_words(stmt, word) > 0)
                || cx
                    .text
                    .slice(&range_of(&[crate::cx::span_of(stmt)]))
                    .contains('?')
        });
        let Stmt::Expr(expr, _) = stmt else { continue };
        if let Some(call) = ignored(cx, expr).filter(|_| !leaves) {
            let at = ignoring_arm(expr);
            let range = at.unwrap_or_else(|| range_of(&[call.method.span()]));
            report(cx, range, "spins once the context has ended");
        }
    }
}

/// The `ctx.run(…)` whose error an `if let Ok(…)` or a `match` passes over.
fn ignored<'e>(cx: &Cx<'_>, expr: &'e Expr) -> Option<&'e ExprMethodCall> {
    let call = match expr {
        Expr::If(expr) if expr.else_branch.is_none() => {
            let Expr::Let(cond) = &*expr.cond else {
                return None;
            };
            is_tuple_struct(&cond.pat, "Ok").then(|| awaited_call(&cond.expr))??
        }
        Expr::Match(matched) => {
            ignoring_arm(expr)?;
            awaited_call(&matched.expr)?
        }
        _ => return None,
    };
    let running = cx.holds(&call.receiver);
    (call.method == "run" && running.is_context() && !running.ended).then_some(call)
}

/// The arm `Err(_) => continue` of a `match`.
fn ignoring_arm(expr: &Expr) -> Option<std::ops::Range<usize>> {
    let Expr::Match(expr) = expr else { return None };
    let arm = expr.arms.iter().find(|arm| {
        let nothing = match &*arm.body {
            Expr::Continue(_) => true,
            Expr::Block(body) => body.block.stmts.is_empty(),
            Expr::Tuple(tuple) => tuple.elems.is_empty(),
            _ => false,
        };
        let any = match &arm.pat {
            Pat::TupleStruct(pat) => {
                matches!(pat.elems.first(), Some(Pat::Wild(_) | Pat::Ident(_)))
            }
            _ => false,
        };
        nothing && any && is_tuple_struct(&arm.pat, "Err")
    })?;
    Some(range_of(&[crate::cx::span_of(&arm.pat)]))
}

fn is_tuple_struct(pat: &Pat, name: &str) -> bool {
    match pat {
        Pat::TupleStruct(pat) => pat.path.segments.last().is_some_and(|s| s.ident == name),
        _ => false,
    }
}

/// What a statement throws away: `let _ = …;`, `….ok();`.
fn dropped(stmt: &Stmt) -> Option<&Expr> {
    match stmt {
        Stmt::Local(local) if matches!(local.pat, Pat::Wild(_)) => {
            local.init.as_ref().map(|init| &*init.expr)
        }
        Stmt::Expr(Expr::MethodCall(call), Some(_)) if call.method == "ok" => Some(&call.receiver),
        Stmt::Expr(Expr::Assign(assign), Some(_)) if matches!(*assign.left, Expr::Infer(_)) => {
            Some(&assign.right)
        }
        _ => None,
    }
}

/// `ctx.run(…).await` and `ctx.check()`.
fn asks_context<'e>(cx: &Cx<'_>, expr: &'e Expr) -> Option<&'e ExprMethodCall> {
    let (call, name) = match (peel(expr), awaited_call(expr)) {
        (_, Some(call)) => (call, "run"),
        (Expr::MethodCall(call), None) => (call, "check"),
        _ => return None,
    };
    let holds = cx.holds(&call.receiver);
    (call.method == name && holds.is_context() && !holds.ended).then_some(call)
}

/// Where a scope is opened that this expression waits for.
fn scope_of(cx: &Cx<'_>, expr: &Expr) -> Option<std::ops::Range<usize>> {
    let Expr::Await(expr) = peel(expr) else {
        return None;
    };
    match peel(&expr.base) {
        Expr::Call(call) => {
            let Expr::Path(func) = &*call.func else {
                return None;
            };
            let opens = opens_scope(&cx.resolve(&func.path, Namespace::Value));
            opens.then(|| range_of(&[crate::cx::span_of(&func.path)]))
        }
        Expr::MethodCall(call) => {
            let opens = cx.holds(&call.receiver).kind == Some(Kind::Options);
            (opens && call.method == "run").then(|| range_of(&[call.method.span()]))
        }
        _ => None,
    }
}

fn report_call(cx: &mut Cx<'_>, call: &ExprMethodCall, label: &str) {
    report(cx, range_of(&[call.method.span()]), label);
}

fn report(cx: &mut Cx<'_>, range: std::ops::Range<usize>, label: &str) {
    cx.report(
        &RULE,
        range,
        "a loop that does not hear that its context has ended".to_owned(),
        label,
        "pass it on with `?`, or let it end the loop: `while let Ok(…) = ctx.run(…).await`"
            .to_owned(),
        None,
    );
}
