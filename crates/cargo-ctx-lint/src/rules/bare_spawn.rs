//! A task that no context ends.

use proc_macro2::Span;
use syn::ExprCall;

use crate::cx::{Cx, range_of};
use crate::resolve::{Def, Namespace};
use crate::rule::Rule;

/// A task spawned beside the context at hand.
pub(crate) const RULE: Rule = Rule {
    id: "bare-spawn",
    summary: "a bare `tokio::spawn` in a function that has a context",
    explain: "\
A bare task belongs to nobody: when the request is cancelled it runs on, and what goes wrong in
it is lost with its handle.

    async fn fetch_all(ctx: &Context, urls: Vec<Url>) {
        for url in urls {
            tokio::spawn(fetch(url));                       // survives the request
        }
    }

    async fn fetch_all(ctx: &Context, urls: Vec<Url>) -> Result<(), Error> {
        scope(ctx, async |s| {
            for url in urls {
                s.spawn(async move |ctx| fetch(&ctx, url).await);
            }
            Ok(())
        })
        .await
    }

Silent where the spawned expression names the context or something made with it
(`tokio::spawn(work(ctx.clone()))`), after the context has ended (behind `ctx.done().await`, or a
`select!` or loop that only a branch on it leaves), in tests, and in functions that were handed
no context.
",
};

/// Called for every call of a path.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    let Some(ctx) = cx.running() else { return };
    let Def::External(target) = cx.resolve(path, Namespace::Value) else {
        return;
    };
    let name = match target.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tokio", "spawn"] | ["tokio", "task", "spawn"] => "tokio::spawn",
        ["tokio", "task", "spawn_local"] => "tokio::task::spawn_local",
        _ => return,
    };
    if call.args.iter().any(|arg| cx.env.mentions(arg)) {
        return;
    }
    let method = if name.ends_with("local") {
        "spawn_local"
    } else {
        "spawn"
    };
    let spans: Vec<Span> = path
        .segments
        .iter()
        .map(|segment| segment.ident.span())
        .collect();
    cx.report(
        &RULE,
        range_of(&spans),
        format!("a task that `{ctx}` does not end"),
        "runs on after the context is cancelled",
        format!(
            "spawn it in a scope: `scope(&{ctx}, async |s| {{ s.{method}(async move |ctx| …); \
             Ok(()) }}).await`, or give it the context: `{name}(work({ctx}.clone()))`"
        ),
        None,
    );
}
