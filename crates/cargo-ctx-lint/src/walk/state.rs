//! Where a walk is.

use syn::{Expr, Pat};

use crate::chain;
use crate::cx::Cx;
use crate::env::names;

/// The walk: where it is, and what the nodes around said.
pub(super) struct Walk<'a> {
    /// What the rules see.
    pub(super) cx: Cx<'a>,
    /// The call that the `.await` around it waits for, by address.
    pub(super) awaited: Option<usize>,
    /// The block that a task or the body of a scope is made of, by address.
    pub(super) known_async: Option<usize>,
    /// Whether the signatures here are a trait's.
    pub(super) in_trait_impl: bool,
    /// Whether functions here are the file's own, not those of a nested module.
    pub(super) at_crate_root: bool,
    /// Contexts whose branch of a `select!` breaks out of the loop around it.
    pub(super) ended_by_break: Vec<String>,
}

impl Walk<'_> {
    /// Notes what context a pattern is derived from, where an expression says so.
    pub(super) fn note_origin(&mut self, pat: &Pat, expr: &Expr) {
        let (base, deeper) = chain::base(expr);
        let Some(origin) = chain::name_of(base).filter(|_| deeper) else {
            return;
        };
        let origin = origin.to_string();
        for name in names(pat) {
            self.cx.env.set_origin(name, origin.clone());
        }
    }

    /// Notes that a context went into what keeps tasks or futures: `set.spawn(work(ctx))`.
    pub(super) fn note_put(&mut self, call: &syn::ExprMethodCall) {
        let method = call.method.to_string();
        let keeps = method.starts_with("spawn")
            || ["push", "insert", "extend", "push_back", "add"].contains(&method.as_str());
        let Some(name) = chain::name_of(&call.receiver).filter(|_| keeps) else {
            return;
        };
        if call.args.iter().any(|arg| self.cx.env.mentions(arg)) {
            self.cx.env.put_context_into(&name.to_string());
        }
    }

    /// Runs `body` with a part of the state changed, and puts it back.
    pub(super) fn within<T: Copy>(
        &mut self,
        part: fn(&mut Self) -> &mut T,
        value: T,
        body: impl FnOnce(&mut Self),
    ) {
        let before = std::mem::replace(part(self), value);
        body(self);
        *part(self) = before;
    }
}
