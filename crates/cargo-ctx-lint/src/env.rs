//! What the names in a function body hold: contexts, guards, scopes, or something that
//! was made with a context.
//!
//! This is not type inference. A binding is a context if its declared type says so, or if
//! it comes from one by the methods that derive contexts; anything else is unknown, and
//! rules stay silent about the unknown.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Expr, Pat};

/// What a name or an expression holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A `Context`, owned or borrowed.
    Context,
    /// A `CancelGuard`.
    Guard,
    /// A `Scope` or a `Spawner` of `spawn_scoped`.
    Scope,
    /// The `ScopeOptions` of `spawn_scoped`.
    Options,
    /// What starts tasks or threads without asking a context: a runtime's handle, a
    /// `JoinSet`, a `TaskTracker`.
    Starter,
    /// A sleep that is not awaited yet.
    Timer,
}

/// One value: its kind, if known, and where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    /// What it is.
    pub(crate) kind: Option<Kind>,
    /// Whether the function was handed it, or derived it from what it was handed.
    pub(crate) received: bool,
    /// Whether a context is in it or went into making it.
    pub(crate) carries: bool,
    /// Whether the context may have ended by now.
    pub(crate) ended: bool,
    /// Whether the code only gets here after the context has ended.
    pub(crate) surely_ended: bool,
    /// Whether it is a scope with the settings of one task: `s.task().name("flush")`.
    pub(crate) settings: bool,
    /// Whether waiting for it ends with this function's own work: a channel made here.
    pub(crate) local: bool,
}

impl Holds {
    /// Something of that kind.
    pub(crate) fn of(kind: Kind, received: bool) -> Holds {
        Holds {
            kind: Some(kind),
            received,
            carries: !matches!(kind, Kind::Starter | Kind::Timer | Kind::Options),
            ..Holds::default()
        }
    }

    /// Whether it is a context or derefs to one.
    pub(crate) fn is_context(self) -> bool {
        matches!(self.kind, Some(Kind::Context | Kind::Guard))
    }
}

/// What a frame is the inside of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Border {
    /// A block, an arm, or a closure of which nothing is known.
    #[default]
    Block,
    /// A function item, which sees nothing of what is around it.
    Function,
    /// The body of a scope.
    Body,
    /// A task of a scope.
    Task,
}

#[derive(Debug, Default)]
struct Frame {
    names: HashMap<String, Holds>,
    /// The contexts that names were derived from, by name.
    origins: HashMap<String, String>,
    border: Border,
}

/// The bindings in sight.
#[derive(Debug, Default)]
pub(crate) struct Env {
    frames: Vec<Frame>,
}

impl Env {
    /// Enters a block, an arm or a closure.
    pub(crate) fn push(&mut self) {
        self.frames.push(Frame::default());
    }

    /// Enters a function item, the body of a scope, or a task.
    pub(crate) fn push_border(&mut self, border: Border) {
        self.frames.push(Frame {
            border,
            ..Frame::default()
        });
    }

    /// Leaves what was entered last.
    pub(crate) fn pop(&mut self) {
        self.frames.pop();
    }

    /// How deep the nesting is.
    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Binds a name.
    pub(crate) fn bind(&mut self, name: String, holds: Holds) {
        if let Some(frame) = self.frames.last_mut() {
            frame.origins.remove(&name);
            frame.names.insert(name, holds);
        }
    }

    /// Notes that the name bound last was derived from another one.
    pub(crate) fn set_origin(&mut self, name: String, origin: String) {
        if let Some(frame) = self.frames.last_mut() {
            frame.origins.insert(name, origin);
        }
    }

    /// The name that a name was derived from, and the depth at which it was.
    pub(crate) fn origin(&self, name: &str) -> Option<(&str, usize)> {
        let (_, depth) = self.lookup(name)?;
        let origin = self.frames[depth - 1].origins.get(name)?;
        Some((origin, depth))
    }

    /// Notes that a context went into the thing of that name.
    pub(crate) fn put_context_into(&mut self, name: &str) {
        if let Some((_, depth)) = self.lookup(name) {
            if let Some(holds) = self.frames[depth - 1].names.get_mut(name) {
                holds.carries = true;
            }
        }
    }

    /// Whether the code is in the body of a scope, and the name is bound outside of it.
    pub(crate) fn is_outside_body(&self, name: &str) -> bool {
        for frame in self.frames.iter().rev() {
            // A context that may have ended is noted again where that is known.
            if frame.names.get(name).is_some_and(|holds| !holds.ended) {
                return false;
            }
            match frame.border {
                Border::Block => {}
                Border::Body => return true,
                Border::Function | Border::Task => return false,
            }
        }
        false
    }

    /// The nearest scope in sight, by name, up to the function around.
    pub(crate) fn scope(&self) -> Option<String> {
        for frame in self.frames.iter().rev() {
            let mut here: Vec<_> = frame
                .names
                .iter()
                .filter(|(_, holds)| holds.kind == Some(Kind::Scope) && holds.received)
                .map(|(name, _)| name.clone())
                .collect();
            here.sort_unstable();
            if let Some(name) = here.into_iter().next() {
                return Some(name);
            }
            if frame.border == Border::Function {
                break;
            }
        }
        None
    }

    /// Binds every name of a pattern to the same thing.
    pub(crate) fn bind_all(&mut self, pat: &Pat, holds: Holds) {
        for name in names(pat) {
            self.bind(name, holds);
        }
    }

    /// What a name holds, and at which depth it was bound.
    pub(crate) fn lookup(&self, name: &str) -> Option<(Holds, usize)> {
        for (depth, frame) in self.frames.iter().enumerate().rev() {
            if let Some(holds) = frame.names.get(name) {
                return Some((*holds, depth + 1));
            }
            if frame.border == Border::Function {
                return None;
            }
        }
        None
    }

    /// The nearest context this function was handed and that can still be running. Once one
    /// of them has ended, so may have those derived from it, and nothing is said.
    pub(crate) fn running(&self) -> Option<String> {
        let mut hidden: Vec<&str> = Vec::new();
        for frame in self.frames.iter().rev() {
            let mut ended = frame.names.iter().filter(|(_, holds)| holds.ended);
            if ended.any(|(name, _)| !hidden.contains(&name.as_str())) {
                return None;
            }
            hidden.extend(frame.names.keys().map(String::as_str));
            if frame.border == Border::Function {
                break;
            }
        }
        self.received()
    }

    /// The nearest context this function was handed, by name. A name that starts with an
    /// underscore was declared unused on purpose.
    pub(crate) fn received(&self) -> Option<String> {
        if self
            .lookup("ctx")
            .is_some_and(|(holds, _)| holds.is_context() && holds.received)
        {
            return Some("ctx".to_owned());
        }
        let mut hidden: Vec<&str> = Vec::new();
        for frame in self.frames.iter().rev() {
            let mut here: Vec<_> = frame
                .names
                .iter()
                .filter(|(name, holds)| {
                    holds.is_context()
                        && holds.received
                        && !name.starts_with('_')
                        && !hidden.contains(&name.as_str())
                })
                .map(|(name, _)| name.as_str())
                .collect();
            // By the alphabet, so that reports are stable.
            here.sort_unstable();
            if let Some(name) = here.first() {
                return Some((*name).to_owned());
            }
            hidden.extend(frame.names.keys().map(String::as_str));
            if frame.border == Border::Function {
                return None;
            }
        }
        None
    }

    /// Whether an expression names anything that is, or carries, a context.
    pub(crate) fn mentions(&self, expr: &Expr) -> bool {
        let mut search = Mentions {
            env: self,
            found: false,
        };
        search.visit_expr(expr);
        search.found
    }

    /// Whether tokens name anything that is, or carries, a context.
    pub(crate) fn mentions_tokens(&self, tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => self.carries(&ident.to_string()),
            TokenTree::Group(group) => self.mentions_tokens(group.stream()),
            // A name inside a format string prints the context and passes it to nobody.
            TokenTree::Literal(_) | TokenTree::Punct(_) => false,
        })
    }

    fn carries(&self, name: &str) -> bool {
        self.lookup(name).is_some_and(|(holds, _)| holds.carries)
    }
}

/// The names that a pattern binds.
pub(crate) fn names(pat: &Pat) -> Vec<String> {
    let mut names = Names(Vec::new());
    names.visit_pat(pat);
    names.0
}

struct Names(Vec<String>);

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
        self.0.push(pat.ident.to_string());
        syn::visit::visit_pat_ident(self, pat);
    }
}

struct Mentions<'a> {
    env: &'a Env,
    found: bool,
}

impl<'ast> Visit<'ast> for Mentions<'_> {
    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        if let Some(ident) = expr.path.get_ident() {
            self.found |= self.env.carries(&ident.to_string());
        }
    }

    fn visit_expr_field(&mut self, expr: &'ast syn::ExprField) {
        if let syn::Member::Named(ident) = &expr.member {
            self.found |= *ident == "ctx";
        }
        syn::visit::visit_expr_field(self, expr);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.found |= self.env.mentions_tokens(mac.tokens.clone());
    }
}
