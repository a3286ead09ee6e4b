//! A task that no context ends.

use proc_macro2::Span;
use syn::{ExprCall, ExprMethodCall};

use crate::cx::{Cx, Keeper, range_of};
use crate::env::Kind;
use crate::resolve::{Def, Namespace};
use crate::rule::Rule;

/// A task spawned beside the context at hand.
pub(crate) const RULE: Rule = Rule {
    id: "bare-spawn",
    summary: "a bare task or thread in a function that has a context or a scope",
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

Threads and blocking work (`thread::spawn`, `spawn_blocking`), a runtime's `Handle`, a `JoinSet` and a
`TaskTracker` are the same: none of them asks the context. Where only a scope is at hand, that is what
the task belongs to.

Silent where the spawned expression names the context or something made with it
(`tokio::spawn(work(ctx.clone()))`), after the context has ended (behind `ctx.done().await`, or a
`select!` or loop that only a branch on it leaves), in tests, and in functions that were handed
neither a context nor a scope.
",
};

/// What is started, and what a scope has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A task.
    Task,
    /// A task that stays on its thread.
    Local,
    /// Work that blocks a thread.
    Blocking,
}

/// Called for every call of a path.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprCall, path: &syn::Path) {
    let Some(keeper) = cx.keeper() else { return };
    let Def::External(target) = cx.resolve(path, Namespace::Value) else {
        return;
    };
    let (name, work) = match target.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tokio", "spawn"] | ["tokio", "task", "spawn"] => ("tokio::spawn", Work::Task),
        ["tokio", "task", "spawn_local"] => ("tokio::task::spawn_local", Work::Local),
        ["tokio", "task", "spawn_blocking"] => ("tokio::task::spawn_blocking", Work::Blocking),
        ["std", "thread", "spawn"] => ("std::thread::spawn", Work::Blocking),
        ["rayon", "spawn" | "spawn_fifo"] => ("rayon::spawn", Work::Blocking),
        _ => return,
    };
    if call.args.iter().any(|arg| cx.env.mentions(arg)) {
        return;
    }
    let spans: Vec<Span> = path
        .segments
        .iter()
        .map(|segment| segment.ident.span())
        .collect();
    report(cx, &keeper, &spans, name, work);
}

/// Called for every method call: handles, sets, trackers and builders of threads.
pub(crate) fn check_method(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    let work = match call.method.to_string().as_str() {
        "spawn" | "spawn_on" => Work::Task,
        "spawn_local" | "spawn_local_on" => Work::Local,
        "spawn_blocking" | "spawn_blocking_on" => Work::Blocking,
        _ => return,
    };
    if cx.holds(&call.receiver).kind != Some(Kind::Starter) {
        return;
    }
    let Some(keeper) = cx.keeper() else { return };
    if call.args.iter().any(|arg| cx.env.mentions(arg)) {
        return;
    }
    let name = format!("….{}", call.method);
    report(cx, &keeper, &[call.method.span()], &name, work);
}

fn report(cx: &mut Cx<'_>, keeper: &Keeper, spans: &[Span], name: &str, work: Work) {
    let method = match work {
        Work::Task => "spawn(async move |ctx| …)",
        Work::Local => "task().spawn_local(async move |ctx| …)",
        Work::Blocking => "spawn_blocking(move |ctx| …)",
    };
    let kind = if work == Work::Blocking {
        "blocking work"
    } else {
        "a task"
    };
    let help = match keeper {
        Keeper::Context(ctx) => format!(
            "spawn it in a scope: `scope(&{ctx}, async |s| {{ s.{method}; Ok(()) }}).await`, or \
             give it the context: `{name}(work({ctx}.clone()))`"
        ),
        Keeper::Scope(s) => format!("spawn it in the scope: `{s}.{method}`"),
    };
    cx.report(
        &RULE,
        range_of(spans),
        format!("{kind} that `{}` does not end", keeper.name()),
        "runs on after the context is cancelled",
        help,
        None,
    );
}
