//! A context kept in a static, a thread-local or a task-local.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Token, Type, Visibility};

use super::context_in_struct::held_context;
use crate::cx::{Cx, range_of};
use crate::rule::Rule;

/// A context that outlives every call.
pub(crate) const RULE: Rule = Rule {
    id: "context-in-static",
    summary: "a `Context` kept in a static, a thread-local or a task-local",
    explain: "\
A context in a static belongs to the caller that set it first, and every later call runs under it. In a
thread-local or a task-local it travels beside the parameters: no signature says that a function
works under it, it is missing on the other side of a spawn, and it is there where nobody expects it.

    static CURRENT: OnceLock<Context> = OnceLock::new();
    tokio::task_local! { static REQUEST: Context; }

    async fn handle(ctx: &Context, request: Request) -> Response

A `CancelHandle` may be kept in a static: it ends a lifetime and is none. Silent in test code.
",
};

/// Called for every `static`.
pub(crate) fn check(cx: &mut Cx<'_>, name: &Ident, ty: &Type) {
    if cx.harness {
        return;
    }
    let Some(path) = held_context(cx, ty) else {
        return;
    };
    let spans: Vec<_> = path.segments.iter().map(|s| s.ident.span()).collect();
    cx.report(
        &RULE,
        range_of(&spans),
        format!("`{name}` keeps a context for every call to come"),
        "outlives the call it was made for",
        "take it as a parameter where it is used: `fn …(ctx: &Context, …)`".to_owned(),
        None,
    );
}

/// Called for every macro: `thread_local!` and `task_local!` declare statics.
pub(crate) fn check_macro(cx: &mut Cx<'_>, mac: &syn::Macro) {
    let Some(last) = mac.path.segments.last() else {
        return;
    };
    if last.ident != "thread_local" && last.ident != "task_local" {
        return;
    }
    for (name, ty) in statics.parse2(mac.tokens.clone()).unwrap_or_default() {
        check(cx, &name, &ty);
    }
}

fn statics(input: ParseStream<'_>) -> syn::Result<Vec<(Ident, Type)>> {
    let mut statics = Vec::new();
    while !input.is_empty() {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Token![static]>()?;
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        statics.push((name, input.parse()?));
        if input.parse::<Option<Token![=]>>()?.is_some() {
            // `const { … }` parses as an expression, so do the others.
            input.parse::<syn::Expr>()?;
        }
        if input.parse::<Option<Token![;]>>()?.is_none() {
            break;
        }
    }
    // What is left is not a declaration that this tool knows.
    input.parse::<TokenStream>()?;
    Ok(statics)
}
