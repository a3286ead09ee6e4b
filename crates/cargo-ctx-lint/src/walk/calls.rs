//! The calls of plain names in a file.

use std::collections::HashMap;
use std::ops::Range;

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall};

use crate::cx::{range_of, span_of};

/// The arguments of every call of a plain name, by the name.
pub(super) fn of(file: &syn::File) -> HashMap<String, Vec<Vec<Range<usize>>>> {
    let mut calls = Calls(HashMap::new());
    calls.visit_file(file);
    calls.0
}

struct Calls(HashMap<String, Vec<Vec<Range<usize>>>>);

impl<'ast> Visit<'ast> for Calls {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(func) = &*call.func {
            if let Some(name) = func.path.get_ident() {
                let arguments = call.args.iter().map(|arg| range_of(&[span_of(arg)]));
                let calls = self.0.entry(name.to_string()).or_default();
                calls.push(arguments.collect());
            }
        }
        visit::visit_expr_call(self, call);
    }
}
