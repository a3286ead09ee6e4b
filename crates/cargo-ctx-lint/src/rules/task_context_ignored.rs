//! A task that puts its own context aside for one of outside.

use syn::visit::{self, Visit};
use syn::{Expr, ExprClosure, ExprMethodCall, Pat};

use crate::chain::name_of;
use crate::cx::{Cx, range_of, span_of};
use crate::env::{Env, Kind, names};
use crate::rule::Rule;

/// A task works under another context than its own.
pub(crate) const RULE: Rule = Rule {
    id: "task-context-ignored",
    summary: "a task that ignores its own context and works under one of outside",
    explain: "\
A task is handed a context that ends with its scope. One that works under a captured context instead
goes on when the scope is cancelled, and the scope waits for it.

    let outer = ctx.clone();
    s.spawn(async move |_| load(&outer).await);

    s.spawn(async move |ctx| load(&ctx).await);

A task that is to end with another lifetime says so: `s.task().under(&other).spawn(…)`. Where both are
to end it: `ctx.merge(&other)`. Silent where the task uses its own context as well, where it takes only
values from the other one, where it owns the guard of the other one, and in tests.
",
};

/// What asks a context only for what it carries.
const READS: [&str; 5] = ["value", "name", "deadline", "remaining", "printable_values"];

/// Called for every method call.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    if cx.harness || cx.holds(&call.receiver).kind != Some(Kind::Scope) || is_under(call) {
        return;
    }
    for arg in &call.args {
        if let Expr::Closure(closure) = arg {
            check_task(cx, closure);
        }
    }
}

fn check_task(cx: &mut Cx<'_>, closure: &ExprClosure) {
    let Some(param) = closure.inputs.first() else {
        return;
    };
    let own = names(param);
    if own.iter().any(|own| cx.num_words(&closure.body, own) > 0) {
        return;
    }
    let is_plain = matches!(param, Pat::Wild(_) | Pat::Ident(_) | Pat::Type(_));
    let mut outer = Outer {
        env: &cx.env,
        found: None,
    };
    outer.visit_expr(&closure.body);
    let Some(name) = outer.found.filter(|_| is_plain) else {
        return;
    };
    cx.report(
        &RULE,
        range_of(&[span_of(param)]),
        format!("a task that works under `{name}` instead of its own context"),
        format!("the scope's end does not reach it, only that of `{name}`"),
        format!(
            "use the context that the task is handed: `|ctx| …`; to end it with `{name}`, \
             `.task().under(&{name}).spawn(…)`"
        ),
        None,
    );
}

/// Whether the task is given another lifetime in words.
fn is_under(call: &ExprMethodCall) -> bool {
    let mut expr = &*call.receiver;
    while let Expr::MethodCall(call) = expr {
        if call.method == "under" || call.method == "until" {
            return true;
        }
        expr = &call.receiver;
    }
    false
}

/// Looks for a context of outside that is used for more than its values.
struct Outer<'a> {
    env: &'a Env,
    found: Option<String>,
}

impl<'ast> Visit<'ast> for Outer<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let reads = READS.iter().any(|name| call.method == name);
        if reads && name_of(&call.receiver).is_some() {
            return call.args.iter().for_each(|arg| self.visit_expr(arg));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        let Some(name) = expr.path.get_ident().map(ToString::to_string) else {
            return;
        };
        let holds = self.env.lookup(&name).map(|(holds, _)| holds.kind);
        if holds == Some(Some(Kind::Context)) && self.found.is_none() {
            self.found = Some(name);
        }
    }
}
