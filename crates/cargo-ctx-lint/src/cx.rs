//! What a rule sees of the place it looks at, and where it reports.

use std::collections::HashSet;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use crate::config::Config;
use crate::env::{Env, Holds, Kind};
use crate::finding::{Finding, Fix, Level};
use crate::resolve::{Def, Namespace, Ours, Scope, Tables, path_ref};
use crate::rule::Rule;
use crate::source::{Entry, Text};

/// The state of a walk through one file.
pub(crate) struct Cx<'a> {
    /// The file.
    pub(crate) entry: &'a Entry,
    /// Its text.
    pub(crate) text: &'a Text,
    /// The names of the workspace.
    pub(crate) tables: &'a Tables,
    /// The configuration.
    pub(crate) config: &'a Config,
    /// Types of the package that are sent over channels.
    pub(crate) messages: Option<&'a HashSet<String>>,
    /// The module the walk is in.
    pub(crate) module: Vec<String>,
    /// Items of the blocks around, outermost first.
    pub(crate) blocks: Vec<Scope>,
    /// The bindings in sight.
    pub(crate) env: Env,
    /// The functions around, outermost first.
    pub(crate) functions: Vec<String>,
    /// Whether a root is around: `main`, or what the configuration names.
    pub(crate) root: bool,
    /// Whether a test harness calls this.
    pub(crate) harness: bool,
    /// Whether cancellation already reaches what is awaited here.
    pub(crate) covered: bool,
    /// Depth of the bindings outside the innermost loop, while an assignment would be
    /// repeated by it.
    pub(crate) loop_to_grow_in: Option<usize>,
    /// Whether the file names our types at all.
    pub(crate) uses_ours: bool,
    /// Names of fields of this file that are contexts or guards.
    pub(crate) context_fields: HashSet<String>,
    /// What was found.
    pub(crate) findings: Vec<Finding>,
}

impl Cx<'_> {
    /// Records a finding, unless the configuration has the rule off.
    pub(crate) fn report(
        &mut self,
        rule: &'static Rule,
        range: Range<usize>,
        message: String,
        label: impl Into<String>,
        help: String,
        fix: Option<Fix>,
    ) {
        let level = self.config.level(rule.id);
        if level != Level::Allow {
            let label = label.into();
            self.findings.push(Finding {
                rule: rule.id,
                level,
                range,
                message,
                label,
                help,
                fix,
            });
        }
    }

    /// The innermost function.
    pub(crate) fn function(&self) -> Option<String> {
        self.functions.last().cloned()
    }

    /// What a path means here.
    pub(crate) fn resolve(&self, path: &syn::Path, namespace: Namespace) -> Def {
        self.tables
            .resolve(&self.module, &self.blocks, &path_ref(path), namespace)
    }

    /// Which item of ours a path means, if one.
    pub(crate) fn ours(&self, path: &syn::Path, namespace: Namespace) -> Option<Ours> {
        Ours::of(&self.resolve(path, namespace))
    }

    /// The constructor of a context that a path names: `background` of
    /// `Context::background`.
    pub(crate) fn constructor(&self, path: &syn::Path) -> Option<String> {
        let mut of_type = path_ref(path);
        let name = of_type.segments.pop()?;
        let known = ["background", "todo", "from_token"].contains(&name.as_str());
        if !known || of_type.segments.is_empty() {
            return None;
        }
        let def = self
            .tables
            .resolve(&self.module, &self.blocks, &of_type, Namespace::Type);
        (Ours::of(&def) == Some(Ours::Context)).then_some(name)
    }

    /// Whether a path names a function of `spawn_scoped`, which hands its closure a scope.
    pub(crate) fn is_of_scopes(&self, path: &syn::Path) -> bool {
        match self.resolve(path, Namespace::Value) {
            Def::External(path) => path[0] == "spawn_scoped",
            Def::Local(_) | Def::Unknown => false,
        }
    }

    /// The nearest context that this code was handed and should let end it; none in tests,
    /// and none once it has ended.
    pub(crate) fn running(&self) -> Option<String> {
        if self.harness {
            None
        } else {
            self.env.running()
        }
    }

    /// Whether a type of this name is sent over a channel in this package.
    pub(crate) fn is_message(&self, name: &str) -> bool {
        self.messages
            .is_some_and(|messages| messages.contains(name))
    }

    /// Whether a type of this module is one call made into a value.
    pub(crate) fn is_call(&self, name: &str) -> bool {
        let mut path = self.module.clone();
        path.push(name.to_owned());
        self.tables.is_call(&path)
    }

    /// What a declared type says about a binding.
    pub(crate) fn kind_of_type(&self, ty: &Type) -> Option<Kind> {
        match ty {
            Type::Path(ty) if ty.qself.is_none() => match self.ours(&ty.path, Namespace::Type)? {
                Ours::Context => Some(Kind::Context),
                Ours::Guard => Some(Kind::Guard),
                Ours::Scope => Some(Kind::Scope),
                Ours::Key | Ours::KeyMacro => None,
            },
            Type::Reference(ty) => self.kind_of_type(&ty.elem),
            Type::Paren(ty) => self.kind_of_type(&ty.elem),
            Type::Group(ty) => self.kind_of_type(&ty.elem),
            _ => None,
        }
    }

    /// What an expression holds, as far as it can be told.
    pub(crate) fn holds(&self, expr: &Expr) -> Holds {
        match expr {
            Expr::Path(expr) => {
                let ident = expr.path.get_ident();
                let found = ident.and_then(|ident| self.env.lookup(&ident.to_string()));
                found.map(|(holds, _)| holds).unwrap_or_default()
            }
            Expr::Reference(expr) => self.holds(&expr.expr),
            Expr::Paren(expr) => self.holds(&expr.expr),
            Expr::Group(expr) => self.holds(&expr.expr),
            Expr::Try(expr) => self.holds(&expr.expr),
            Expr::Unary(expr) if matches!(expr.op, syn::UnOp::Deref(_)) => self.holds(&expr.expr),
            Expr::Field(expr) => match &expr.member {
                syn::Member::Named(name) if self.context_fields.contains(&name.to_string()) => {
                    Holds::of(Kind::Context, true)
                }
                _ => Holds::default(),
            },
            Expr::Call(call) => self.call_holds(call),
            Expr::MethodCall(call) => self.method_holds(call),
            _ => Holds::default(),
        }
    }

    fn call_holds(&self, call: &syn::ExprCall) -> Holds {
        let Expr::Path(func) = &*call.func else {
            return Holds::default();
        };
        let Some(name) = func.path.segments.last() else {
            return Holds::default();
        };
        if name.ident == "clone" && call.args.len() == 1 {
            let holds = self.holds(&call.args[0]);
            if holds.is_context() {
                return Holds::of(Kind::Context, holds.received);
            }
        }
        match self.constructor(&func.path) {
            Some(_) => Holds::of(Kind::Context, false),
            None => Holds::default(),
        }
    }

    fn method_holds(&self, call: &syn::ExprMethodCall) -> Holds {
        let receiver = self.holds(&call.receiver);
        let name = call.method.to_string();
        let kind = match (receiver.kind, name.as_str()) {
            (Some(kind), "unwrap" | "expect" | "as_ref" | "borrow" | "by_ref") => kind,
            (Some(Kind::Scope), "clone") => Kind::Scope,
            (Some(Kind::Scope), "ctx" | "context") => Kind::Context,
            (Some(Kind::Guard), "map") => Kind::Guard,
            (Some(Kind::Context | Kind::Guard), "with_cancel") => Kind::Guard,
            (None, "with_cancel") if self.uses_ours && call.args.is_empty() => {
                return Holds::of(Kind::Guard, false);
            }
            (Some(Kind::Context | Kind::Guard), name) if derives(name) => Kind::Context,
            _ => return Holds::default(),
        };
        Holds::of(kind, receiver.received)
    }
}

/// Whether a method of a context returns another one.
fn derives(name: &str) -> bool {
    matches!(
        name,
        "clone"
            | "to_owned"
            | "keep"
            | "merge"
            | "detach_onto"
            | "without_cancel"
            | "without_value"
            | "with_budget"
            | "with_deadline"
            | "with_deadline_cause"
            | "with_name"
            | "with_timeout"
            | "with_timeout_cause"
            | "with_value"
    )
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

/// The bytes from the first span to the last.
pub(crate) fn range_of(spans: &[Span]) -> Range<usize> {
    let start = spans
        .iter()
        .map(|span| span.byte_range().start)
        .min()
        .unwrap_or(0);
    let end = spans
        .iter()
        .map(|span| span.byte_range().end)
        .max()
        .unwrap_or(start);
    start..end
}

/// The span of a whole node.
pub(crate) fn span_of(node: &impl Spanned) -> Span {
    node.span()
}
