//! Loops and `select!`: where a context has ended by the time the code goes on.
//!
//! A rule about waiting must not ask for an ended context: after `ctx.done().await`, a grace
//! period can only be timed without it.

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprLoop, ExprWhile, Stmt};

use super::state::Walk;
use crate::chain::peel;
use crate::cx::Loop;
use crate::env::Holds;
use crate::macros::Branch;
use crate::rules;

impl Walk<'_> {
    /// The body of a loop, which repeats its assignments to what is bound outside.
    pub(super) fn block_in_loop(&mut self, block: &Block, depth: usize, turn: Loop) {
        let outside = self.cx.in_loop.replace(turn);
        self.within(
            |walk| &mut walk.cx.loop_to_grow_in,
            Some(depth),
            |walk| walk.visit_block(block),
        );
        self.cx.in_loop = outside;
    }

    /// Whether the code of a loop asks a context whether it has ended.
    pub(super) fn asks(&self, block: &Block, condition: Option<&Expr>) -> bool {
        let mut asking = Asking {
            walk: self,
            found: false,
        };
        asking.visit_block(block);
        condition
            .into_iter()
            .for_each(|expr| asking.visit_expr(expr));
        asking.found
    }

    /// `loop`: if a branch on a context breaks out of it, that context has ended behind it.
    pub(super) fn endless_loop(&mut self, expr: &ExprLoop) {
        let outside = std::mem::take(&mut self.ended_by_break);
        let asks = self.asks(&expr.body, None);
        if !asks {
            rules::cancel_swallowed::check_loop(&mut self.cx, &expr.body);
        }
        let turn = Loop { asks };
        self.block_in_loop(&expr.body, self.cx.env.depth(), turn);
        let only_way_out = self.cx.num_words(&expr.body, "break") == 1;
        for name in std::mem::replace(&mut self.ended_by_break, outside) {
            self.mark_ended(&name, only_way_out);
        }
    }

    /// `while`: if its condition asks a context, that context may have ended behind it.
    pub(super) fn while_loop(&mut self, expr: &ExprWhile) {
        let outside = std::mem::take(&mut self.ended_by_break);
        let depth = self.cx.env.depth();
        let turn = Loop {
            asks: self.asks(&expr.body, Some(&expr.cond)),
        };
        self.cx.env.push();
        let around = self.cx.in_loop.replace(turn);
        self.visit_expr(&expr.cond);
        self.cx.in_loop = around;
        self.block_in_loop(&expr.body, depth, turn);
        self.cx.env.pop();
        let mut asked = Asked {
            walk: self,
            names: Vec::new(),
        };
        asked.visit_expr(&expr.cond);
        let asked = asked.names;
        for name in asked
            .into_iter()
            .chain(std::mem::replace(&mut self.ended_by_break, outside))
        {
            self.mark_ended(&name, false);
        }
    }

    /// `select!`: a branch on a context covers the futures of all branches, not the handlers.
    pub(super) fn select(&mut self, mac: &syn::Macro, branches: &[Branch]) {
        let leaves_by_itself = branches.iter().any(|branch| leaves(&branch.handler, false));
        let watched = branches
            .iter()
            .any(|branch| self.cx.env.mentions(&branch.future));
        if !watched && !leaves_by_itself {
            rules::unending_wait::check_select(&mut self.cx, mac, branches);
        }
        let covered = self.cx.covered || watched;
        for branch in branches {
            self.within(
                |walk| &mut walk.cx.covered,
                covered,
                |walk| walk.visit_expr(&branch.future),
            );
        }
        for branch in branches {
            self.cx.env.push();
            let carries = self.cx.env.mentions(&branch.future);
            if let Some(pat) = &branch.pat {
                self.cx.env.bind_all(
                    pat,
                    Holds {
                        carries,
                        ..Holds::default()
                    },
                );
            }
            let ended = self.awaited_end(&branch.future);
            if let Some(name) = &ended {
                self.mark_ended(name, true);
                if leaves(&branch.handler, true) {
                    self.ended_by_break.push(name.clone());
                }
            }
            self.visit_expr(&branch.handler);
            self.cx.env.pop();
        }
        // Behind it, a context may have ended whose branch goes on.
        for branch in branches.iter().filter(|b| !leaves(&b.handler, false)) {
            if let Some(name) = self.awaited_end(&branch.future) {
                self.mark_ended(&name, false);
            }
        }
        // Only the branch on the context goes on behind the `select!`.
        let mut going_on = branches
            .iter()
            .filter(|branch| !leaves(&branch.handler, false));
        if let (Some(branch), None) = (going_on.next(), going_on.next()) {
            if let Some(name) = self.awaited_end(&branch.future) {
                self.mark_ended(&name, true);
            }
        }
    }

    /// The context whose end a future waits for: `ctx` of `ctx.done()`.
    pub(super) fn awaited_end(&self, future: &Expr) -> Option<String> {
        let Expr::MethodCall(call) = peel(future) else {
            return None;
        };
        if call.method != "done" && call.method != "done_owned" {
            return None;
        }
        self.context_name(&call.receiver)
    }

    /// From here to the end of the block, the context of that name may have ended, or
    /// `surely` has.
    pub(super) fn mark_ended(&mut self, name: &str, surely: bool) {
        if let Some((holds, _)) = self.cx.env.lookup(name) {
            self.cx.env.bind(
                name.to_owned(),
                Holds {
                    ended: true,
                    surely_ended: surely,
                    ..holds
                },
            );
        }
    }

    fn context_name(&self, expr: &Expr) -> Option<String> {
        let Expr::Path(path) = peel(expr) else {
            return None;
        };
        let name = path.path.get_ident()?.to_string();
        let (holds, _) = self.cx.env.lookup(&name)?;
        holds.is_context().then_some(name)
    }
}

/// Names of the contexts whose methods an expression calls.
struct Asked<'w, 'a> {
    walk: &'w Walk<'a>,
    names: Vec<String>,
}

impl<'ast> Visit<'ast> for Asked<'_, '_> {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.names.extend(self.walk.context_name(&call.receiver));
        visit::visit_expr_method_call(self, call);
    }
}

/// Looks for a question whether a context has ended.
struct Asking<'w, 'a> {
    walk: &'w Walk<'a>,
    found: bool,
}

impl<'ast> Visit<'ast> for Asking<'_, '_> {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        let asks = [
            "is_done",
            "is_cancelled",
            "check",
            "err",
            "done",
            "done_owned",
        ];
        self.found |= asks.contains(&name.as_str()) && self.walk.cx.env.mentions(&call.receiver);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let is_select = mac
            .path
            .segments
            .last()
            .is_some_and(|s| s.ident == "select");
        self.found |= is_select && self.walk.cx.env.mentions_tokens(mac.tokens.clone());
    }
}

/// Whether code after this expression is not reached from it; with `by_break`, whether that
/// is because it ends the loop.
fn leaves(expr: &Expr, by_break: bool) -> bool {
    match expr {
        Expr::Break(_) => true,
        Expr::Return(_) | Expr::Continue(_) => !by_break,
        Expr::Block(expr) => block_leaves(&expr.block, by_break),
        Expr::Unsafe(expr) => block_leaves(&expr.block, by_break),
        Expr::Paren(expr) => leaves(&expr.expr, by_break),
        Expr::If(expr) => expr.else_branch.as_ref().is_some_and(|(_, other)| {
            block_leaves(&expr.then_branch, by_break) && leaves(other, by_break)
        }),
        Expr::Match(expr) => expr.arms.iter().all(|arm| leaves(&arm.body, by_break)),
        Expr::Macro(expr) => !by_break && never_returns(&expr.mac),
        _ => false,
    }
}

fn block_leaves(block: &Block, by_break: bool) -> bool {
    match block.stmts.last() {
        Some(Stmt::Expr(expr, _)) => leaves(expr, by_break),
        Some(Stmt::Macro(stmt)) => !by_break && never_returns(&stmt.mac),
        _ => false,
    }
}

fn never_returns(mac: &syn::Macro) -> bool {
    ["panic", "unreachable", "todo", "unimplemented", "bail"]
        .iter()
        .any(|name| {
            mac.path
                .segments
                .last()
                .is_some_and(|last| last.ident == name)
        })
}
