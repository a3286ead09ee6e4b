//! What a rule sees of the place it looks at, and where it reports.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use crate::config::Config;
use crate::env::{Env, Holds, Kind};
use crate::finding::{Finding, Fix, Level};
use crate::resolve::{Def, Namespace, Ours, Scope, Tables, is_one_of, is_starter, path_ref};
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
    /// Whether the code runs where waiting blocks other tasks.
    pub(crate) in_async: bool,
    /// Whether it is not known what runs this code, and under which context.
    pub(crate) deferred: bool,
    /// The loop around, within the function or task.
    pub(crate) in_loop: Option<Loop>,
    /// Whether the file names our types at all.
    pub(crate) uses_ours: bool,
    /// Names of fields of this file that are contexts or guards.
    pub(crate) context_fields: HashSet<String>,
    /// Names of fields of this file that start tasks or threads.
    pub(crate) starter_fields: HashSet<String>,
    /// The arguments of every call of a plain name in this file, by the name.
    pub(crate) calls: HashMap<String, Vec<Vec<Range<usize>>>>,
    /// What was found.
    pub(crate) findings: Vec<Finding>,
}

/// What a loop does about its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    /// Whether it asks a context in each turn.
    pub(crate) asks: bool,
}

/// What code should let end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The context of that name.
    Context(String),
    /// The scope of that name.
    Scope(String),
}

impl Keeper {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Keeper::Context(name) | Keeper::Scope(name) => name,
        }
    }
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
            Def::External(path) => {
                let policy = path.iter().any(|segment| segment == "policy");
                path[0] == "spawn_scoped" || path[0] == "tokio_ctx" && policy
            }
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

    /// What this code should let end it: the nearest context, or where none was handed over,
    /// the nearest scope. None in tests, and none once a context has ended.
    pub(crate) fn keeper(&self) -> Option<Keeper> {
        if let Some(ctx) = self.running() {
            return Some(Keeper::Context(ctx));
        }
        if self.harness || self.root || self.env.received().is_some() {
            return None;
        }
        self.env.scope().map(Keeper::Scope)
    }

    /// How often a word stands in the text of a node, comments and strings included.
    pub(crate) fn num_words(&self, node: &impl Spanned, word: &str) -> usize {
        let text = self.text.slice(&node.span().byte_range());
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|found| *found == word).count()
    }

    /// How often a word stands in the file, comments and strings included.
    pub(crate) fn num_in_file(&self, word: &str) -> usize {
        let words = self
            .text
            .as_str()
            .split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|found| *found == word).count()
    }

    /// Whether modules of this one are in other files, which may use its private items.
    pub(crate) fn has_child_files(&self) -> bool {
        let lines = self.text.as_str().lines().map(str::trim);
        lines
            .filter(|line| line.ends_with(';'))
            .any(|line| line.starts_with("mod ") || line.contains(" mod "))
    }

    /// Whether an expression is a context of which it is certain that it has ended.
    pub(crate) fn has_ended(&self, expr: &Expr) -> bool {
        let holds = self.holds(expr);
        holds.is_context() && holds.surely_ended
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
            Type::Path(ty) if ty.qself.is_none() => {
                let def = self.resolve(&ty.path, Namespace::Type);
                if is_starter(&def) {
                    return Some(Kind::Starter);
                }
                match Ours::of(&def)? {
                    Ours::Context => Some(Kind::Context),
                    Ours::Guard => Some(Kind::Guard),
                    Ours::Scope => Some(Kind::Scope),
                    Ours::Options => Some(Kind::Options),
                    Ours::Key | Ours::KeyMacro => None,
                }
            }
            Type::Reference(ty) => self.kind_of_type(&ty.elem),
            Type::Paren(ty) => self.kind_of_type(&ty.elem),
            Type::Group(ty) => self.kind_of_type(&ty.elem),
            _ => None,
        }
    }

    /// What an expression holds, as far as it is known.
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
                syn::Member::Named(name) if self.starter_fields.contains(&name.to_string()) => {
                    Holds::of(Kind::Starter, true)
                }
                _ => Holds::default(),
            },
            Expr::Await(expr) => {
                let holds = self.holds(&expr.base);
                // `s.slot().await?` is a scope to spawn in.
                match holds.kind {
                    Some(Kind::Scope) => holds,
                    _ => Holds::default(),
                }
            }
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
        if self.constructor(&func.path).is_some() {
            return Holds::of(Kind::Context, false);
        }
        if let Some(kind) = self.made_by(&func.path) {
            return Holds::of(kind, false);
        }
        let name = name.ident.to_string();
        let ends = name.contains("channel") || name.contains("bounded") || name == "iter";
        Holds {
            local: ends || name == "duplex",
            ..Holds::default()
        }
    }

    /// What a constructor makes: `JoinSet::new`, `Handle::current`, `ScopeOptions::new`,
    /// `tokio::time::sleep`.
    fn made_by(&self, path: &syn::Path) -> Option<Kind> {
        let def = self.resolve(path, Namespace::Value);
        let timers: [&[&str]; 2] = [
            &["tokio", "time", "sleep"],
            &["tokio", "time", "sleep_until"],
        ];
        if is_one_of(&def, &timers) {
            return Some(Kind::Timer);
        }
        let mut of_type = path_ref(path);
        let name = of_type.segments.pop()?;
        let known = ["new", "current", "default", "try_current"].contains(&name.as_str());
        if !known || of_type.segments.is_empty() {
            return None;
        }
        let def = self
            .tables
            .resolve(&self.module, &self.blocks, &of_type, Namespace::Type);
        if is_starter(&def) {
            return Some(Kind::Starter);
        }
        (Ours::of(&def) == Some(Ours::Options)).then_some(Kind::Options)
    }

    fn method_holds(&self, call: &syn::ExprMethodCall) -> Holds {
        let receiver = self.holds(&call.receiver);
        let name = call.method.to_string();
        let kind = match (receiver.kind, name.as_str()) {
            (Some(kind), "unwrap" | "expect" | "as_ref" | "borrow" | "by_ref") => kind,
            (Some(Kind::Scope), "ctx" | "context") => Kind::Context,
            (Some(Kind::Scope), name) if builds_task(name) => Kind::Scope,
            (Some(Kind::Options), "run" | "run_reported") => return Holds::default(),
            (Some(Kind::Options), _) => Kind::Options,
            (Some(Kind::Starter), "name" | "stack_size" | "handle" | "clone") => Kind::Starter,
            (Some(Kind::Guard), "map") => Kind::Guard,
            (Some(Kind::Context | Kind::Guard), "with_cancel") => Kind::Guard,
            (None, "with_cancel") if self.uses_ours && call.args.is_empty() => {
                return Holds::of(Kind::Guard, false);
            }
            (Some(Kind::Context | Kind::Guard), name) if derives(name) => Kind::Context,
            _ => return Holds::default(),
        };
        // A shield and a detached context do not end with what they come from.
        let shielded = matches!(name.as_str(), "without_cancel" | "detach_onto");
        let of_task = kind == Kind::Scope && name != "clone" && name != "spawner";
        Holds {
            settings: of_task || kind == Kind::Scope && receiver.settings,
            ended: receiver.ended && !shielded,
            surely_ended: receiver.surely_ended && !shielded,
            ..Holds::of(kind, receiver.received)
        }
    }
}

/// Whether a method of a scope returns something else to spawn with.
fn builds_task(name: &str) -> bool {
    matches!(
        name,
        "clone"
            | "task"
            | "slot"
            | "name"
            | "span"
            | "background"
            | "under"
            | "until"
            | "spawner"
            | "isolated"
    )
}

/// Whether a method of a context returns another one.
fn derives(name: &str) -> bool {
    matches!(
        name,
        "clone"
            | "to_owned"
            | "disarm"
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
