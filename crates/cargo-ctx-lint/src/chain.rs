//! Chains of method calls: which of them derive one context from another.

use syn::{Expr, ExprMethodCall};

/// Methods of a context that add a layer to it.
const DEEPENS: [&str; 11] = [
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

/// Whether a method of a context adds a layer to it.
pub(crate) fn deepens(name: &syn::Ident) -> bool {
    DEEPENS.iter().any(|known| name == known)
}

/// Whether what a method of a guard returns ends with the guard.
pub(crate) fn ends_with_guard(name: &syn::Ident) -> bool {
    let others = ["clone", "to_owned", "handle", "token", "done_owned"];
    let takes_guard = name == "map" || name == "with_cancel";
    !takes_guard && deepens(name) || others.iter().any(|known| name == known)
}

/// The expression inside parentheses and references.
pub(crate) fn peel(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(expr) => peel(&expr.expr),
        Expr::Group(expr) => peel(&expr.expr),
        Expr::Reference(expr) => peel(&expr.expr),
        expr => expr,
    }
}

/// Looks through what takes a result apart.
pub(crate) fn unwrapped(expr: &Expr) -> &Expr {
    match peel(expr) {
        Expr::Try(expr) => unwrapped(&expr.expr),
        Expr::MethodCall(call) if call.method == "unwrap" || call.method == "expect" => {
            unwrapped(&call.receiver)
        }
        expr => expr,
    }
}

/// The name that an expression is, if it is one.
pub(crate) fn name_of(expr: &Expr) -> Option<&syn::Ident> {
    match peel(expr) {
        Expr::Path(expr) => expr.path.get_ident(),
        _ => None,
    }
}

/// What a chain of method calls starts with, and whether any of them adds a layer.
pub(crate) fn base(expr: &Expr) -> (&Expr, bool) {
    let mut deeper = false;
    let mut base = unwrapped(expr);
    while let Expr::MethodCall(call) = base {
        deeper |= deepens(&call.method);
        base = unwrapped(&call.receiver);
    }
    (base, deeper)
}

/// The call that an awaited expression waits for.
pub(crate) fn awaited_call(expr: &Expr) -> Option<&ExprMethodCall> {
    let Expr::Await(expr) = peel(expr) else {
        return None;
    };
    match peel(&expr.base) {
        Expr::MethodCall(call) => Some(call),
        _ => None,
    }
}
