//! The name of a context parameter.

use syn::{FnArg, Pat, Signature};

use crate::cx::{Cx, range_of};
use crate::env::Kind;
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
pub(crate) fn check(cx: &mut Cx<'_>, sig: &Signature) {
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
    cx.report(&RULE, range, message, "should be `ctx`", help, None);
}
