//! The nodes that a walk looks at.

use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, Pat, Stmt};

use super::state::Walk;
use crate::chain::peel;
use crate::cx::Loop;
use crate::env::{Border, Holds, Kind};
use crate::macros;
use crate::resolve::{Namespace, Ours, collect_block, opens_scope};
use crate::rules;

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let root = std::mem::replace(&mut self.at_crate_root, false);
        self.cx.module.push(item.ident.to_string());
        self.item(&item.attrs, None, |walk| visit::visit_item_mod(walk, item));
        self.cx.module.pop();
        self.at_crate_root = root;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.function(&item.attrs, &item.sig, Some(&item.block), public);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.item(&item.attrs, Some(&item.generics), |walk| {
            rules::context_in_struct::check(&mut walk.cx, &item.ident.to_string(), &item.fields);
        });
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.item(&item.attrs, Some(&item.generics), |walk| {
            for variant in &item.variants {
                let owner = item.ident.to_string();
                rules::context_in_struct::check(&mut walk.cx, &owner, &variant.fields);
            }
        });
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.item(&item.attrs, Some(&item.generics), |walk| {
            walk.key_impl(item);
            if let syn::Type::Path(this) = &*item.self_ty {
                walk.cx
                    .functions
                    .extend(this.path.segments.last().map(|s| s.ident.to_string()));
            }
            let depth = walk.cx.functions.len();
            walk.within(
                |walk| &mut walk.in_trait_impl,
                item.trait_.is_some(),
                |walk| visit::visit_item_impl(walk, item),
            );
            if matches!(&*item.self_ty, syn::Type::Path(_)) {
                walk.cx.functions.truncate(depth - 1);
            }
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.function(&item.attrs, &item.sig, Some(&item.block), public);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.item(&item.attrs, Some(&item.generics), |walk| {
            walk.cx.functions.push(item.ident.to_string());
            visit::visit_item_trait(walk, item);
            walk.cx.functions.pop();
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.attrs, &item.sig, item.default.as_ref(), true);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.item(&item.attrs, None, |walk| {
            rules::context_in_static::check(&mut walk.cx, &item.ident, &item.ty);
            visit::visit_item_static(walk, item);
        });
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.item(&item.attrs, None, |walk| {
            visit::visit_item_const(walk, item);
        });
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // The body of `macro_rules!` is not code yet.
        if item.ident.is_none() {
            self.item(&item.attrs, None, |walk| {
                visit::visit_item_macro(walk, item);
            });
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        rules::old_spelling::check_use(&mut self.cx, item);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_block(&mut self, block: &'ast Block) {
        let scope = collect_block(block);
        let has_items = !scope.is_empty();
        if has_items {
            self.cx.blocks.push(scope);
        }
        self.cx.env.push();
        let leaves = block
            .stmts
            .iter()
            .any(|stmt| matches!(stmt, Stmt::Expr(Expr::Break(_) | Expr::Return(_), _)));
        let grow_in = if leaves {
            None
        } else {
            self.cx.loop_to_grow_in
        };
        self.within(
            |walk| &mut walk.cx.loop_to_grow_in,
            grow_in,
            |walk| visit::visit_block(walk, block),
        );
        rules::guard_outlived::check_block(&mut self.cx, block);
        rules::derived_unused::check_block(&mut self.cx, block);
        self.cx.env.pop();
        if has_items {
            self.cx.blocks.pop();
        }
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        if let Stmt::Expr(expr, Some(_)) = stmt {
            rules::guard_dropped::check_statement(&mut self.cx, expr);
            rules::derived_unused::check_statement(&mut self.cx, expr);
        }
        rules::cancel_swallowed::check_statement(&mut self.cx, stmt);
        visit::visit_stmt(self, stmt);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        rules::guard_dropped::check_let(&mut self.cx, local);
        visit::visit_local(self, local);
        let Some(init) = &local.init else {
            return self.cx.env.bind_all(&local.pat, Holds::default());
        };
        let mut holds = self.cx.holds(&init.expr);
        if let (Pat::Type(typed), None) = (&local.pat, holds.kind) {
            let kind = self.cx.kind_of_type(&typed.ty);
            holds = kind.map(|kind| Holds::of(kind, true)).unwrap_or_default();
        }
        let plain = matches!(&local.pat, Pat::Ident(_) | Pat::Type(_));
        if !plain {
            holds.kind = None;
        }
        holds.carries |= self.cx.env.mentions(&init.expr);
        self.cx.env.bind_all(&local.pat, holds);
        self.note_origin(&local.pat, &init.expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.cx.env.push();
        visit::visit_arm(self, arm);
        self.cx.env.pop();
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        self.visit_expr(&expr.expr);
        let carries = self.cx.env.mentions(&expr.expr);
        for arm in &expr.arms {
            self.cx.env.push();
            self.cx.env.bind_all(
                &arm.pat,
                Holds {
                    carries,
                    ..Holds::default()
                },
            );
            self.note_origin(&arm.pat, &expr.expr);
            self.visit_arm(arm);
            self.cx.env.pop();
        }
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.cx.env.push();
        self.visit_expr(&expr.cond);
        self.visit_block(&expr.then_branch);
        self.cx.env.pop();
        if let Some((_, other)) = &expr.else_branch {
            self.visit_expr(other);
        }
    }

    fn visit_expr_let(&mut self, expr: &'ast syn::ExprLet) {
        visit::visit_expr_let(self, expr);
        let carries = self.cx.env.mentions(&expr.expr);
        self.cx.env.bind_all(
            &expr.pat,
            Holds {
                carries,
                ..Holds::default()
            },
        );
        self.note_origin(&expr.pat, &expr.expr);
    }

    fn visit_expr_async(&mut self, expr: &'ast syn::ExprAsync) {
        let known = self.known_async.take() == Some(std::ptr::from_ref(expr).addr());
        let deferred = self.cx.deferred || !known;
        self.inside(true, deferred, |walk| visit::visit_expr_async(walk, expr));
    }

    fn visit_expr_loop(&mut self, expr: &'ast syn::ExprLoop) {
        self.endless_loop(expr);
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.while_loop(expr);
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast syn::ExprForLoop) {
        self.visit_expr(&expr.expr);
        let depth = self.cx.env.depth();
        let carries = self.cx.env.mentions(&expr.expr);
        self.cx.env.push();
        self.cx.env.bind_all(
            &expr.pat,
            Holds {
                carries,
                ..Holds::default()
            },
        );
        let turn = Loop {
            asks: self.asks(&expr.body, None),
        };
        self.block_in_loop(&expr.body, depth, turn);
        self.cx.env.pop();
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.closure(closure, Holds::default(), Border::Block);
    }

    fn visit_expr_assign(&mut self, assign: &'ast syn::ExprAssign) {
        rules::reassigned_in_loop::check(&mut self.cx, &assign.left, &assign.right);
        if !matches!(*assign.left, Expr::Infer(_)) {
            rules::guard_dropped::check_value(&mut self.cx, &assign.right);
        }
        visit::visit_expr_assign(self, assign);
    }

    fn visit_expr_return(&mut self, expr: &'ast syn::ExprReturn) {
        if let Some(value) = &expr.expr {
            rules::guard_dropped::check_value(&mut self.cx, value);
        }
        visit::visit_expr_return(self, expr);
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        rules::guard_dropped::check_value(&mut self.cx, &field.expr);
        visit::visit_field_value(self, field);
    }

    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        self.constructor(&expr.path, None);
    }

    fn visit_expr_await(&mut self, expr: &'ast syn::ExprAwait) {
        if let Expr::Call(call) = peel(&expr.base) {
            self.awaited = Some(std::ptr::from_ref(call).addr());
        }
        rules::unending_wait::check_await(&mut self.cx, expr);
        rules::bare_timer::check_kept(&mut self.cx, expr);
        rules::ended_context::check_await(&mut self.cx, expr);
        visit::visit_expr_await(self, expr);
        if let Some(name) = self.awaited_end(&expr.base) {
            self.mark_ended(&name, true);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let awaited = self.awaited.take() == Some(std::ptr::from_ref(call).addr());
        let Expr::Path(func) = &*call.func else {
            return visit::visit_expr_call(self, call);
        };
        self.constructor(&func.path, Some(call));
        let found = self.cx.findings.len();
        rules::bare_spawn::check(&mut self.cx, call, &func.path);
        rules::bare_timer::check_thread(&mut self.cx, &func.path);
        rules::reassigned_in_loop::check_replace(&mut self.cx, call, &func.path);
        rules::guard_outlived::check_forget(&mut self.cx, call, &func.path);
        rules::background::check_token(&mut self.cx, call, &func.path);
        // What a bare task does is not reported a second time.
        let covered = self.cx.covered || self.cx.findings.len() > found;
        if awaited {
            rules::bare_timer::check(&mut self.cx, call, &func.path);
        }
        let takes_closure = call.args.iter().any(|arg| matches!(arg, Expr::Closure(_)));
        let opens = opens_scope(&self.cx.resolve(&func.path, Namespace::Value));
        let first = if takes_closure && (opens || self.cx.is_of_scopes(&func.path)) {
            Holds::of(Kind::Scope, true)
        } else {
            Holds::default()
        };
        let border = if opens { Border::Body } else { Border::Block };
        self.within(
            |walk| &mut walk.cx.covered,
            covered,
            |walk| walk.arguments(call.args.iter(), first, border),
        );
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let receiver = self.cx.holds(&call.receiver);
        let name = call.method.to_string();
        let runs = receiver.is_context() && name == "run";
        let drops = receiver.kind == Some(Kind::Scope) && name == "spawn_cancellable";
        let opens = receiver.kind == Some(Kind::Options) && name.starts_with("run");
        let border = match receiver.kind {
            Some(Kind::Scope) => Border::Task,
            Some(Kind::Options) if opens => Border::Body,
            _ => Border::Block,
        };
        rules::bare_spawn::check_method(&mut self.cx, call);
        rules::unending_wait::check_blocking(&mut self.cx, call);
        rules::outer_context_in_body::check(&mut self.cx, call);
        rules::ended_context::check_run(&mut self.cx, call);
        rules::task_context_ignored::check(&mut self.cx, call);
        rules::old_spelling::check(&mut self.cx, call);
        rules::reassigned_in_loop::check_fold(&mut self.cx, call);
        self.note_put(call);
        let first = match receiver.kind {
            Some(Kind::Options) if opens => Holds::of(Kind::Scope, true),
            Some(Kind::Scope) => Holds::of(Kind::Context, true),
            Some(Kind::Guard) if name == "map" => Holds::of(Kind::Context, receiver.received),
            _ => Holds::default(),
        };
        let outside = self.cx.covered;
        self.visit_expr(&call.receiver);
        self.within(
            |walk| &mut walk.cx.covered,
            outside || runs || drops,
            |walk| walk.arguments(call.args.iter(), first, border),
        );
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        if self.cx.ours(&mac.path, Namespace::Macro) == Some(Ours::KeyMacro) {
            return self.keys(mac);
        }
        rules::context_in_static::check_macro(&mut self.cx, mac);
        match macros::parse(mac) {
            macros::Body::Nothing => {}
            macros::Body::Exprs(exprs) => {
                for expr in &exprs {
                    self.visit_expr(expr);
                }
            }
            macros::Body::Statements(block) => self.visit_block(&block),
            macros::Body::Select(branches) => self.select(mac, &branches),
        }
    }
}
