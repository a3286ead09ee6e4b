//! The place of a context among parameters.

use syn::{FnArg, Signature};

use crate::cx::{Cx, range_of, span_of};
use crate::env::Kind;
use crate::rule::Rule;

/// A context behind other parameters.
pub(crate) const RULE: Rule = Rule {
    id: "context-not-first",
    summary: "a `Context` parameter that is not the first one after `self`",
    explain: "\
Where the context always comes first, a reader sees at a glance which functions take one, and a
missing one is missed.

    async fn fetch(url: &Url, ctx: &Context) -> …
    async fn fetch(ctx: &Context, url: &Url) -> …

Silent where a context does come first (`fn merge(ctx: &Context, other: &Context)`), in
implementations of traits, whose signatures are the trait's, and in test code.
",
};

/// Called for every signature that its author could have written otherwise.
pub(crate) fn check(cx: &mut Cx<'_>, sig: &Signature) {
    if cx.harness {
        return;
    }
    let params = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    });
    for (at, param) in params.enumerate() {
        if cx.kind_of_type(&param.ty) != Some(Kind::Context) {
            continue;
        }
        if at == 0 {
            return;
        }
        let name = &sig.ident;
        let borrow = if matches!(*param.ty, syn::Type::Reference(_)) {
            "&"
        } else {
            ""
        };
        let receiver = if sig.receiver().is_some() {
            "self, "
        } else {
            ""
        };
        let help = format!("put it first: `fn {name}({receiver}ctx: {borrow}Context, …)`");
        let range = range_of(&[span_of(&param.pat)]);
        let message = format!("`{name}` takes its context behind other parameters");
        return cx.report(&RULE, range, message, "should come first", help, None);
    }
}
