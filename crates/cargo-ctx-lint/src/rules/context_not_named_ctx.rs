//! The name of a context parameter.

use proc_macro2::{Span, TokenTree};
use syn::visit::Visit;
use syn::{Block, FnArg, Pat, Signature};

use crate::cx::{Cx, range_of};
use crate::env::Kind;
use crate::finding::{Edit, Fix};
use crate::rule::Rule;

/// A context under another name.
pub(crate) const RULE: Rule = Rule {
    id: "context-not-named-ctx",
    summary: "a function's only `Context` parameter is not named `ctx`",
    explain: "\
One name for the one thing that is in every signature: `ctx`.

    async fn fetch(cancel: &Context, url: &Url) -> …
    async fn fetch(ctx: &Context, url: &Url) -> …

Also right: `_ctx`, `_`, names that end in `_ctx` (`listener_ctx`), and the names of a role that
is not simply this call's: `parent`, `other`, `lifetime`, `root`, `server` and `request`.
Silent where a function takes several contexts, which need telling apart, in implementations of
traits, and in test code. `context-names` in ctx-lint.toml adds to the accepted names.
",
};

/// The name, the ways not to use it, and the names that tell which context it is.
const NAMES: [&str; 9] = [
    "ctx", "_ctx", "_", "parent", "other", "lifetime", "root", "server", "request",
];

/// Called for every signature that its author could have written otherwise.
pub(crate) fn check(cx: &mut Cx<'_>, sig: &Signature, body: Option<&Block>) {
    if cx.harness {
        return;
    }
    let mut contexts = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) if cx.kind_of_type(&param.ty) == Some(Kind::Context) => Some(param),
        _ => None,
    });
    let (Some(param), None) = (contexts.next(), contexts.next()) else {
        return;
    };
    let Pat::Ident(pat) = &*param.pat else { return };
    let name = pat.ident.to_string();
    let accepted = NAMES.contains(&name.as_str())
        || name.ends_with("_ctx")
        || cx.config.context_names.contains(&name);
    if accepted {
        return;
    }
    let range = range_of(&[pat.ident.span()]);
    let message = format!("the context of `{}` is named `{name}`", sig.ident);
    let help = format!("name it `ctx`, here and in the body of `{}`", sig.ident);
    let fix = renamed(cx, sig, body, &pat.ident);
    cx.report(&RULE, range, message, "should be `ctx`", help, fix);
}

/// The edits that rename a parameter, where the name stands for nothing else in the function.
fn renamed(cx: &Cx<'_>, sig: &Signature, body: Option<&Block>, old: &syn::Ident) -> Option<Fix> {
    let mut spans = vec![old.span()];
    if let Some(body) = body {
        let taken = cx.num_words(sig, "ctx") + cx.num_words(body, "ctx");
        let mut uses = Uses {
            name: old,
            spans: Vec::new(),
        };
        uses.visit_block(body);
        // Text that is not code to the parser (a format string, a macro of its own) also says it.
        if taken > 0 || uses.spans.len() != cx.num_words(body, &old.to_string()) {
            return None;
        }
        spans.extend(uses.spans);
    }
    let edits = spans.into_iter().map(|span| Edit {
        range: span.byte_range(),
        replacement: "ctx".to_owned(),
    });
    Some(edits.collect())
}

/// The places where a name is used as a variable.
struct Uses<'n> {
    name: &'n syn::Ident,
    spans: Vec<Span>,
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        if let Some(ident) = expr.path.get_ident().filter(|ident| *ident == self.name) {
            self.spans.push(ident.span());
        }
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let mut open: Vec<TokenTree> = mac.tokens.clone().into_iter().collect();
        while let Some(token) = open.pop() {
            match token {
                TokenTree::Ident(ident) if ident == *self.name => self.spans.push(ident.span()),
                TokenTree::Group(group) => open.extend(group.stream()),
                _ => {}
            }
        }
    }
}
