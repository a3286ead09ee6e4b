//! Functions, closures and the items around them: what they bind, and whether they are
//! roots or tests.

use syn::visit::Visit;
use syn::{Attribute, Block, Expr, Item, Pat, Signature, Stmt};

use super::state::Walk;
use crate::cx::{range_of, span_of};
use crate::env::{Border, Holds, Kind};
use crate::resolve::{Name, Namespace, Scope, attribute_is_test, cfg_test};
use crate::rules;
use crate::source::Class;

impl Walk<'_> {
    /// Notes the fields of this file's structs that are contexts or guards.
    pub(super) fn collect_context_fields(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Struct(item) => {
                    for field in &item.fields {
                        let kind = self.cx.kind_of_type(&field.ty);
                        let Some(name) = &field.ident else { continue };
                        match kind {
                            Some(Kind::Context | Kind::Guard) => {
                                self.cx.context_fields.insert(name.to_string());
                            }
                            Some(Kind::Starter) => {
                                self.cx.starter_fields.insert(name.to_string());
                            }
                            _ => {}
                        }
                    }
                }
                Item::Mod(item) => {
                    if let Some((_, items)) = &item.content {
                        self.cx.module.push(item.ident.to_string());
                        self.collect_context_fields(items);
                        self.cx.module.pop();
                    }
                }
                _ => {}
            }
        }
    }

    /// Enters an item with its attributes and type parameters, which shadow imports.
    pub(super) fn item(
        &mut self,
        attrs: &[Attribute],
        generics: Option<&syn::Generics>,
        body: impl FnOnce(&mut Self),
    ) {
        let harness = self.cx.harness || cfg_test(attrs) || attrs.iter().any(attribute_is_test);
        let mut scope = Scope::default();
        for param in generics.into_iter().flat_map(syn::Generics::type_params) {
            scope.add(param.ident.to_string(), Name::Local(Namespace::Type));
        }
        let shadows = !scope.is_empty();
        if shadows {
            self.cx.blocks.push(scope);
        }
        self.within(|walk| &mut walk.cx.harness, harness, body);
        if shadows {
            self.cx.blocks.pop();
        }
    }

    pub(super) fn function(
        &mut self,
        attrs: &[Attribute],
        sig: &Signature,
        block: Option<&Block>,
        public: bool,
    ) {
        self.item(attrs, Some(&sig.generics), |walk| {
            if !walk.in_trait_impl {
                rules::context_not_first::check(&mut walk.cx, sig, public);
                rules::context_not_named_ctx::check(&mut walk.cx, sig, block);
                rules::context_parameter_type::check(&mut walk.cx, sig, block, public);
            }
            let Some(block) = block else { return };
            let root = walk.is_root(attrs, sig);
            walk.cx.functions.push(sig.ident.to_string());
            walk.cx.env.push_border(Border::Function);
            for input in &sig.inputs {
                if let syn::FnArg::Typed(param) = input {
                    let kind = walk.cx.kind_of_type(&param.ty);
                    let mut holds = kind.map(|kind| Holds::of(kind, true)).unwrap_or_default();
                    // `Option<&Context>`, `State<Context>`: not one, but it carries one.
                    holds.carries |=
                        rules::context_in_struct::held_context(&walk.cx, &param.ty).is_some();
                    walk.cx.env.bind_all(&param.pat, holds);
                }
            }
            let outside = (walk.cx.covered, walk.cx.loop_to_grow_in, walk.in_trait_impl);
            (walk.cx.covered, walk.cx.loop_to_grow_in, walk.in_trait_impl) = (false, None, false);
            let is_async = sig.asyncness.is_some();
            walk.within(
                |walk| &mut walk.cx.root,
                root,
                |walk| walk.inside(is_async, false, |walk| walk.body(block)),
            );
            (walk.cx.covered, walk.cx.loop_to_grow_in, walk.in_trait_impl) = outside;
            walk.cx.env.pop();
            walk.cx.functions.pop();
        });
    }

    /// A block whose value leaves its function or closure.
    pub(super) fn body(&mut self, block: &Block) {
        if let Some(Stmt::Expr(tail, None)) = block.stmts.last() {
            rules::guard_dropped::check_value(&mut self.cx, tail);
        }
        self.visit_block(block);
    }

    fn is_root(&self, attrs: &[Attribute], sig: &Signature) -> bool {
        let marked = attrs.iter().any(|attr| {
            attribute_is_test(attr)
                || attr
                    .path()
                    .segments
                    .last()
                    .is_some_and(|s| s.ident == "main")
        });
        let main = sig.ident == "main" && sig.receiver().is_none() && self.at_crate_root;
        let by_harness = matches!(self.cx.entry.class, Class::Build) && sig.ident == "main";
        marked || main || by_harness || sig.abi.is_some() || {
            let path = [
                &self.cx.module[1..],
                &self.cx.functions,
                &[sig.ident.to_string()],
            ]
            .concat();
            self.cx.config.is_root(&self.cx.entry.package, &path)
        }
    }

    /// Enters code that a function, a closure or an async block is made of.
    pub(super) fn inside(&mut self, is_async: bool, deferred: bool, body: impl FnOnce(&mut Self)) {
        let outside = (self.cx.in_async, self.cx.deferred, self.cx.in_loop);
        (self.cx.in_async, self.cx.deferred, self.cx.in_loop) = (is_async, deferred, None);
        body(self);
        (self.cx.in_async, self.cx.deferred, self.cx.in_loop) = outside;
    }

    pub(super) fn closure(&mut self, closure: &syn::ExprClosure, first: Holds, border: Border) {
        self.cx.env.push_border(border);
        for (at, input) in closure.inputs.iter().enumerate() {
            let holds = match input {
                Pat::Type(typed) => {
                    let kind = self.cx.kind_of_type(&typed.ty);
                    kind.map(|kind| Holds::of(kind, true)).unwrap_or_default()
                }
                _ if at == 0 => first,
                _ => Holds::default(),
            };
            self.cx.env.bind_all(input, holds);
        }
        let known = border != Border::Block;
        if known {
            // `|ctx| async move { … }` and `|ctx| { …; async move { … } }` run at once.
            let tail = match &*closure.body {
                Expr::Block(body) => match body.block.stmts.last() {
                    Some(Stmt::Expr(tail, None)) => tail,
                    _ => &*closure.body,
                },
                body => body,
            };
            if let Expr::Async(block) = tail {
                self.known_async = Some(std::ptr::from_ref(block).addr());
            }
        }
        self.inside(
            closure.asyncness.is_some(),
            !known,
            |walk| match &*closure.body {
                Expr::Block(body) => walk.body(&body.block),
                body => {
                    rules::guard_dropped::check_value(&mut walk.cx, body);
                    walk.visit_expr(body);
                }
            },
        );
        self.cx.env.pop();
    }

    /// Visits arguments; a closure among them is handed `first`.
    pub(super) fn arguments<'ast>(
        &mut self,
        args: impl Iterator<Item = &'ast Expr>,
        first: Holds,
        border: Border,
    ) {
        for arg in args {
            match arg {
                Expr::Closure(closure) => self.closure(closure, first, border),
                arg => self.visit_expr(arg),
            }
        }
    }

    /// A mention of `Context::background` or `Context::todo`, called or not.
    pub(super) fn constructor(&mut self, path: &syn::Path, call: Option<&syn::ExprCall>) {
        if self.cx.root || self.cx.harness {
            return;
        }
        let Some(maker) = self.cx.constructor(path) else {
            return;
        };
        if maker != "background" && maker != "todo" {
            return;
        }
        let spans: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.span())
            .collect();
        let range = range_of(&spans);
        match self.cx.env.received() {
            Some(ctx) => {
                let call = call.map(|call| range_of(&[span_of(call)]));
                rules::context_not_passed::check(&mut self.cx, range, call, &maker, &ctx);
            }
            None if maker == "todo" => rules::todo::check(&mut self.cx, range),
            None => rules::background::check(&mut self.cx, range),
        }
    }
}
