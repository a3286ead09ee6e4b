//! A context kept in a field.

use syn::{Fields, Type};

use crate::cx::{Cx, range_of};
use crate::resolve::{held_paths, path_ref};
use crate::rule::Rule;

/// A context that outlives the call it was made for.
pub(crate) const RULE: Rule = Rule {
    id: "context-in-struct",
    summary: "a `Context` kept in a field of a struct or enum",
    explain: "\
A context belongs to one call. In a field it outlives it: later calls run under the deadline of
the first one, and nobody can tell from a signature which context a method works under.

    struct Client { ctx: Context, http: Http }
    impl Client { async fn get(&self, url: &Url) -> … }

    struct Client { http: Http }
    impl Client { async fn get(&self, ctx: &Context, url: &Url) -> … }

Excused, because there the struct is the call:
- a message that is sent over a channel: the workspace names the type, or an enum around it, as
  the payload of a `…Sender<T>`, `…Receiver<T>` or `channel::<T>(…)`, or builds it in a
  `.send(T { … })`;
- a type that implements `Future`, `Stream` or `Iterator`, and the types it is made of;
- an extractor (`FromRequestParts`, `FromRequest`), which is a handler's parameter;
- a borrowed `&Context`, which cannot outlive the call;
- a `CancelGuard` or `CancelHandle`: a struct may own the right to end a lifetime;
- code under `#[cfg(test)]`, in `tests/` and in `benches/`.

Anything else that is right (a server's own lifetime, say) deserves its reason in a comment:

    // ctx-lint: allow(context-in-struct) the server's own lifetime, ended by `shutdown`
    lifetime: Context,
",
};

/// Called for a struct or a variant; `owner` is the name of the struct or enum.
pub(crate) fn check(cx: &mut Cx<'_>, owner: &str, fields: &Fields) {
    if cx.harness || cx.is_message(owner) || cx.is_call(owner) {
        return;
    }
    for field in fields {
        let Some(path) = held_context(cx, &field.ty) else {
            continue;
        };
        let spans: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.span())
            .collect();
        cx.report(
            &RULE,
            range_of(&spans),
            format!("`{owner}` keeps a context"),
            "outlives the call it was made for",
            "take it as a parameter where it is used: `fn …(&self, ctx: &Context, …)`".to_owned(),
            None,
        );
    }
}

/// The `Context` that a field of this type would keep, or the alias that stands for it.
pub(crate) fn held_context<'t>(cx: &Cx<'_>, ty: &'t Type) -> Option<&'t syn::Path> {
    let holds = |path: &syn::Path| {
        cx.tables
            .holds_context(&cx.module, &cx.blocks, &path_ref(path))
    };
    held_paths(ty).into_iter().find(|path| holds(path))
}
