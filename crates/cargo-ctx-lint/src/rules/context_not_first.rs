//! The place of a context among parameters.

use std::ops::Range;

use syn::{FnArg, Signature};

use crate::cx::{Cx, range_of, span_of};
use crate::env::Kind;
use crate::finding::{Edit, Fix};
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

/// Called for every signature that its author could have written otherwise; `public` is whether
/// other files may call the function.
pub(crate) fn check(cx: &mut Cx<'_>, sig: &Signature, public: bool) {
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
        let fix = moved(cx, sig, at, public);
        return cx.report(&RULE, range, message, "should come first", help, fix);
    }
}

/// The edits that put the parameter first, here and in the calls, where all calls are in sight: of
/// a function that only this file can name and that is only ever called.
fn moved(cx: &Cx<'_>, sig: &Signature, at: usize, public: bool) -> Option<Fix> {
    if public || sig.receiver().is_some() || cx.has_child_files() {
        return None;
    }
    let name = sig.ident.to_string();
    let calls = cx.calls.get(&name).map(Vec::as_slice).unwrap_or_default();
    // Its declaration and its calls, and nothing else of that name in the file.
    if calls.len() + 1 != cx.num_in_file(&name) {
        return None;
    }
    let params: Vec<Range<usize>> = sig
        .inputs
        .iter()
        .map(|input| range_of(&[span_of(input)]))
        .collect();
    let mut edits = rotated(cx, &params, at);
    for arguments in calls {
        if arguments.len() != params.len() {
            return None;
        }
        edits.extend(rotated(cx, arguments, at));
    }
    Some(edits)
}

/// The edits that bring one of several to the front and move the others up.
fn rotated(cx: &Cx<'_>, ranges: &[Range<usize>], at: usize) -> Vec<Edit> {
    let text = |at: usize| cx.text.slice(&ranges[at]).to_owned();
    let edit = |to: usize, from: usize| Edit {
        range: ranges[to].clone(),
        replacement: text(from),
    };
    let others = (1..=at).map(|to| edit(to, to - 1));
    std::iter::once(edit(0, at)).chain(others).collect()
}
