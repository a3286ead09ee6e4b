//! A guard that dies before the contexts derived from it are used.

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, Pat, Stmt};

use super::guard_dropped::RULE;
use crate::chain::{ends_with_guard, name_of, peel, unwrapped};
use crate::cx::{Cx, range_of, span_of};
use crate::env::{Kind, names};
use crate::resolve::{Namespace, is_one_of};
use crate::rule::Rule;

/// A guard that is leaked.
pub(crate) const FORGOTTEN: Rule = Rule {
    id: "guard-forgotten",
    summary: "a `CancelGuard` leaked by `mem::forget`",
    explain: "\
Leaking the guard keeps its context from being cancelled, and says nothing about why.
There is a word for it, which also returns the plain context.

    let guard = ctx.with_cancel();
    std::mem::forget(guard);

    let ctx = ctx.with_cancel().disarm();
",
};

/// Called for every call of a path.
pub(crate) fn check_forget(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    let forgets: [&[&str]; 4] = [
        &["std", "mem", "forget"],
        &["core", "mem", "forget"],
        &["std", "mem", "ManuallyDrop", "new"],
        &["std", "boxed", "Box", "leak"],
    ];
    let Some(name) = call.args.first().and_then(name_of) else {
        return;
    };
    let is_guard = cx
        .env
        .lookup(&name.to_string())
        .map(|(holds, _)| holds.kind)
        == Some(Some(Kind::Guard));
    if !is_guard || !is_one_of(&cx.resolve(path, Namespace::Value), &forgets) {
        return;
    }
    let help = format!("give up the right to cancel in words: `{name}.disarm()`");
    cx.report(
        &FORGOTTEN,
        range_of(&[span_of(path)]),
        format!("`{name}` is leaked so that it does not cancel"),
        "the guard is never dropped",
        help,
        None,
    );
}

/// Called for every block, with its names still bound.
pub(crate) fn check_block(cx: &mut Cx<'_>, block: &Block) {
    for (at, stmt) in block.stmts.iter().enumerate() {
        let Stmt::Local(local) = stmt else { continue };
        let pat = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pat => pat,
        };
        let (Pat::Ident(pat), Some(_)) = (pat, &local.init) else {
            continue;
        };
        let guard = pat.ident.to_string();
        let kind = cx.env.lookup(&guard).map(|(holds, _)| holds.kind);
        if kind == Some(Some(Kind::Guard)) {
            check_guard(cx, &guard, &block.stmts[at + 1..]);
        }
    }
}

fn check_guard(cx: &mut Cx<'_>, guard: &str, behind: &[Stmt]) {
    let mut moves = Moves {
        guard,
        moved: false,
    };
    behind.iter().for_each(|stmt| moves.visit_stmt(stmt));
    if moves.moved {
        return;
    }
    let mut of_guard = vec![guard.to_owned()];
    for stmt in behind {
        if let Stmt::Local(local) = stmt {
            let derived = local
                .init
                .as_ref()
                .is_some_and(|init| ends(&init.expr, &of_guard, true));
            if derived {
                of_guard.extend(names(&local.pat));
            }
        }
    }
    let Some(last) = behind.last() else { return };
    if let Stmt::Expr(value, None) = last {
        if ends(value, &of_guard, false) {
            let label = "the value of this block, already cancelled when it is used";
            return report(cx, guard, value, label);
        }
    }
    for (at, stmt) in behind.iter().enumerate() {
        let Stmt::Expr(Expr::Call(call), Some(_)) = stmt else {
            continue;
        };
        let waits = behind[at + 1..]
            .iter()
            .any(|stmt| cx.num_words(stmt, "await") > 0);
        if !waits && starts_task(cx, call) {
            let under = of_guard[1..]
                .iter()
                .any(|name| cx.num_words(call, name) > 0);
            if under {
                let label = "runs on after the guard is dropped at the end of this block";
                return report(cx, guard, &call.func, label);
            }
        }
    }
}

fn starts_task(cx: &Cx<'_>, call: &ExprCall) -> bool {
    let Expr::Path(func) = &*call.func else {
        return false;
    };
    let starts: [&[&str]; 4] = [
        &["tokio", "spawn"],
        &["tokio", "task", "spawn"],
        &["tokio", "task", "spawn_blocking"],
        &["std", "thread", "spawn"],
    ];
    is_one_of(&cx.resolve(&func.path, Namespace::Value), &starts)
}

fn report(cx: &mut Cx<'_>, guard: &str, at: &Expr, label: &str) {
    cx.report(
        &RULE,
        range_of(&[span_of(at)]),
        format!("`{guard}` is dropped here, and ends what was derived from it"),
        label,
        format!(
            "hand the guard on, which is a context as well; or give up the right to cancel: \
             `{guard}.disarm()`"
        ),
        None,
    );
}

/// Whether a value is, or holds, a context that ends with one of these guards. A `let` may
/// keep other things that were made with them, so there only the chain itself counts.
fn ends(expr: &Expr, of_guard: &[String], only_chain: bool) -> bool {
    let is_one = |expr: &Expr| name_of(expr).is_some_and(|name| of_guard.iter().any(|g| name == g));
    match unwrapped(expr) {
        Expr::Path(_) => is_one(expr),
        Expr::MethodCall(call) => {
            ends_with_guard(&call.method) && ends(&call.receiver, of_guard, only_chain)
        }
        _ if only_chain => false,
        Expr::Call(call) => {
            let wraps = ["Ok", "Some", "Box", "Arc", "Rc"];
            let Expr::Path(func) = &*call.func else {
                return false;
            };
            let first = func.path.segments.first();
            let is_wrap = first.is_some_and(|s| wraps.iter().any(|name| s.ident == name));
            is_wrap && call.args.iter().any(|arg| ends(arg, of_guard, false))
        }
        Expr::Struct(made) => made
            .fields
            .iter()
            .any(|field| ends(&field.expr, of_guard, false)),
        Expr::Tuple(tuple) => tuple.elems.iter().any(|elem| ends(elem, of_guard, false)),
        _ => false,
    }
}

/// Looks for a place where the guard goes elsewhere and lives on.
struct Moves<'g> {
    guard: &'g str,
    moved: bool,
}

impl Moves<'_> {
    fn is_guard(&self, expr: &Expr) -> bool {
        name_of(expr).is_some_and(|name| name == self.guard)
    }
}

impl<'ast> Visit<'ast> for Moves<'_> {
    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        self.moved |= expr.path.is_ident(self.guard);
    }

    fn visit_expr_reference(&mut self, expr: &'ast syn::ExprReference) {
        if !self.is_guard(peel(&expr.expr)) {
            visit::visit_expr_reference(self, expr);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let takes = ["disarm", "map", "into"];
        if self.is_guard(&call.receiver) {
            self.moved |= takes.iter().any(|name| call.method == name);
            return call.args.iter().for_each(|arg| self.visit_expr(arg));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.capture.is_some() {
            let mut any = Anywhere {
                name: self.guard,
                found: false,
            };
            any.visit_expr(&closure.body);
            self.moved |= any.found;
        } else {
            visit::visit_expr_closure(self, closure);
        }
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        if block.capture.is_some() {
            let mut any = Anywhere {
                name: self.guard,
                found: false,
            };
            any.visit_block(&block.block);
            self.moved |= any.found;
        } else {
            visit::visit_expr_async(self, block);
        }
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.moved |= mac.tokens.to_string().contains(self.guard);
    }
}

/// Looks for a name, however it is used.
struct Anywhere<'g> {
    name: &'g str,
    found: bool,
}

impl<'ast> Visit<'ast> for Anywhere<'_> {
    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        self.found |= expr.path.is_ident(self.name);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.found |= mac.tokens.to_string().contains(self.name);
    }
}
