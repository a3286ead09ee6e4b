//! A guard that is dropped in the statement that made it.

use syn::{Expr, ExprMethodCall, Local, Pat};

use crate::chain::{ends_with_guard, name_of, peel, unwrapped};
use crate::cx::{Cx, range_of, span_of};
use crate::finding::{Edit, Fix};
use crate::rule::Rule;

/// A lifetime that ends as soon as it begins.
pub(crate) const RULE: Rule = Rule {
    id: "guard-dropped",
    summary: "a `CancelGuard` or `OnCancel` dropped on the spot",
    explain: "\
A `CancelGuard` cancels its context when it is dropped, an `OnCancel` takes its callback back.
`let _ = …` drops at once, and so does a statement; a temporary in a chain is dropped at the end
of the statement, so what was derived from it is already cancelled when it is used.

    let _ = ctx.with_cancel();
    let child = ctx.with_cancel().with_timeout(limit);

    let guard = ctx.with_cancel();
    let child = guard.with_timeout(limit);
    let guard = ctx.with_cancel().map(|ctx| ctx.with_timeout(limit));

`disarm()` gives up the right to cancel and returns the plain context.
Silent where the whole chain is used within its statement (`ctx.with_cancel().run(fut).await`)
and where the drop is spelt out (`drop(guard)`).
",
};

/// Called for every `let`.
pub(crate) fn check_let(cx: &mut Cx<'_>, local: &Local) {
    let Some(init) = &local.init else { return };
    if let Pat::Wild(wild) = &local.pat {
        let range = range_of(&[wild.underscore_token.span]);
        let fix = |name: &str| {
            vec![Edit {
                range: range.clone(),
                replacement: name.to_owned(),
            }]
        };
        if let Some(call) = guard(cx, &init.expr) {
            report_guard(cx, call, "`let _` drops it at once", Some(fix("_guard")));
        } else if let Some(call) = registration(cx, &init.expr) {
            report_registration(cx, call, Some(fix("_on_cancel")));
        }
    } else {
        check_value(cx, &init.expr);
    }
}

/// Called for an expression used as a statement.
pub(crate) fn check_statement(cx: &mut Cx<'_>, statement: &Expr) {
    let expr = match statement {
        Expr::Assign(assign) if matches!(*assign.left, Expr::Infer(_)) => &assign.right,
        _ => statement,
    };
    let start = range_of(&[span_of(statement)]).start;
    let fix = |name: &str| {
        let whole = std::ptr::eq(expr, statement);
        whole.then(|| {
            vec![Edit {
                range: start..start,
                replacement: format!("let {name} = "),
            }]
        })
    };
    if let Some(call) = guard(cx, expr) {
        report_guard(
            cx,
            call,
            "dropped at the end of this statement",
            fix("_guard"),
        );
    } else if let Some(call) = registration(cx, expr) {
        report_registration(cx, call, fix("_on_cancel"));
    }
}

/// Called for an expression whose value outlives its statement: bound, returned, stored.
pub(crate) fn check_value(cx: &mut Cx<'_>, expr: &Expr) {
    let Expr::MethodCall(last) = unwrapped(expr) else {
        return;
    };
    if !(ends_with_guard(&last.method) || last.method == "run") {
        return;
    }
    let mut receiver = peel(&last.receiver);
    loop {
        if let Some(call) = guard(cx, receiver) {
            let label = format!(
                "dropped at the end of this statement, before the result of `{}` is used",
                last.method
            );
            return report_guard(cx, call, &label, None);
        }
        match receiver {
            Expr::MethodCall(call) if ends_with_guard(&call.method) => {
                receiver = peel(&call.receiver);
            }
            _ => return,
        }
    }
}

fn report_guard(cx: &mut Cx<'_>, call: &ExprMethodCall, label: &str, fix: Option<Fix>) {
    let range = range_of(&[call.method.span()]);
    let message = "a guard that cancels as soon as it is made".to_owned();
    let help = match name_of(&call.receiver) {
        Some(name) => format!(
            "bind it for as long as the work lasts: `let guard = {name}.with_cancel();`, and \
             derive from `guard`"
        ),
        None => "bind it for as long as the work lasts: `let guard = ….with_cancel();`".to_owned(),
    };
    cx.report(&RULE, range, message, label, help, fix);
}

fn report_registration(cx: &mut Cx<'_>, call: &ExprMethodCall, fix: Option<Fix>) {
    let range = range_of(&[call.method.span()]);
    let message = "a callback that is taken back as soon as it is registered".to_owned();
    let help = "keep the registration, `let on_cancel = ctx.on_cancel(…);`, or leave it to the \
                context: `ctx.on_cancel(…).disarm();`";
    cx.report(
        &RULE,
        range,
        message,
        "the registration is dropped here",
        help.to_owned(),
        fix,
    );
}

/// The `with_cancel()` of an expression that is a guard.
fn guard<'e>(cx: &Cx<'_>, expr: &'e Expr) -> Option<&'e ExprMethodCall> {
    let Expr::MethodCall(call) = peel(expr) else {
        return None;
    };
    if call.method == "map" {
        return guard(cx, &call.receiver);
    }
    let holds = cx.holds(&call.receiver);
    let plausible = holds.is_context() || (holds.kind.is_none() && cx.uses_ours);
    (call.method == "with_cancel" && call.args.is_empty() && plausible).then_some(call)
}

/// The `on_cancel(…)` of an expression that is a registration.
fn registration<'e>(cx: &Cx<'_>, expr: &'e Expr) -> Option<&'e ExprMethodCall> {
    let Expr::MethodCall(call) = peel(expr) else {
        return None;
    };
    (call.method == "on_cancel" && cx.holds(&call.receiver).is_context()).then_some(call)
}
