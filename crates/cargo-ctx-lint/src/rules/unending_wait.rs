//! A loop that waits for what no context can end.

use syn::{Expr, ExprAwait, ExprMethodCall, Macro};

use crate::chain::{name_of, peel};
use crate::cx::{Cx, Keeper, range_of};
use crate::macros::Branch;
use crate::rule::Rule;

/// Waiting that goes on for as long as nothing comes.
pub(crate) const RULE: Rule = Rule {
    id: "unending-wait",
    summary: "a loop that waits for messages, clients or ticks which the context cannot end",
    explain: "\
A loop over `recv`, `accept`, `tick` and the like ends when the other side does, which may be never.
The context at hand is cancelled, and the loop goes on waiting: a shutdown hangs, a request is served
to nobody.

    while let Some(job) = jobs.recv().await { job.run(ctx).await?; }
    loop {
        tokio::select! {
            Some(job) = jobs.recv() => …,
            Some(event) = events.recv() => …,
        }
    }

    while let Ok(Some(job)) = ctx.run(jobs.recv()).await { job.run(ctx).await?; }
    while let Ok(socket) = s.run(listener.accept()).await { … }     // in the body of a scope
    loop {
        tokio::select! {
            _ = ctx.done() => break,
            Some(job) = jobs.recv() => …,
            Some(event) = events.recv() => …,
        }
    }

Silent where a context covers the wait (`ctx.run(…)`, a branch of the `select!`), where what is waited
for was made with a context (`topic.subscribe(ctx)`, a set of tasks that have it), where the channel is
made in the same function, where a `select!` has a branch that leaves the loop, where a loop of ticks
asks `ctx.check()` in each turn, in a future that somebody else runs, after the context has ended, and
in tests.
",
};

/// Methods whose future may never be ready.
const ENDLESS: [&str; 11] = [
    "recv",
    "recv_async",
    "recv_from",
    "recv_many",
    "accept",
    "tick",
    "changed",
    "notified",
    "next",
    "try_next",
    "next_line",
];

/// Called for every `.await`.
pub(crate) fn check_await(cx: &mut Cx<'_>, expr: &ExprAwait) {
    let Some(turn) = cx.in_loop else { return };
    let Expr::MethodCall(call) = peel(&expr.base) else {
        return;
    };
    let method = call.method.to_string();
    // A tick comes, and the question behind it is asked.
    let asked = turn.asks && method == "tick";
    if !ENDLESS.contains(&method.as_str()) || asked || cx.covered || cx.deferred {
        return;
    }
    report(cx, call);
}

/// Called for every method call: a thread that blocks on a channel is not woken either.
pub(crate) fn check_blocking(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    if call.method == "blocking_recv" && cx.in_loop.is_some() {
        report(cx, call);
    }
}

/// Called for a `select!` of which no branch leaves the loop or watches a context.
pub(crate) fn check_select(cx: &mut Cx<'_>, mac: &Macro, branches: &[Branch]) {
    let Some(turn) = cx.in_loop else { return };
    let waits = |name: &str| {
        branches.iter().any(|branch| match peel(&branch.future) {
            Expr::MethodCall(call) => call.method == name && !ends_by_itself(cx, call),
            _ => false,
        })
    };
    let asked = turn.asks && waits("tick");
    if asked || cx.covered || cx.deferred || !ENDLESS.iter().any(|name| waits(name)) {
        return;
    }
    let Some(keeper) = cx.keeper() else { return };
    let Some(name) = mac.path.segments.last() else {
        return;
    };
    let (end, keeper) = match keeper {
        Keeper::Context(ctx) => (format!("{ctx}.done()"), ctx),
        Keeper::Scope(s) => (format!("{s}.context().done()"), s),
    };
    cx.report(
        &RULE,
        range_of(&[name.ident.span()]),
        format!("a `select!` in a loop that `{keeper}` cannot end"),
        "no branch waits for the end",
        format!("give the end a branch: `_ = {end} => break`"),
        None,
    );
}

fn report(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    if ends_by_itself(cx, call) {
        return;
    }
    let Some(keeper) = cx.keeper() else { return };
    let method = &call.method;
    let what = match name_of(&call.receiver) {
        Some(name) => format!("{name}.{method}(…)"),
        None => format!("….{method}(…)"),
    };
    let name = keeper.name();
    let help = if method == "blocking_recv" {
        format!(
            "receive in a task, `{name}.run(…recv()).await`, and send work to the thread; or ask \
             `{name}.check()?` between waits that are bounded"
        )
    } else {
        format!("wait under it: `{name}.run({what}).await`")
    };
    cx.report(
        &RULE,
        range_of(&[method.span()]),
        format!("a loop that waits for `{method}`, which `{name}` cannot end"),
        "goes on waiting after the cancel",
        help,
        None,
    );
}

/// Whether what is waited for was made with a context, or here.
fn ends_by_itself(cx: &Cx<'_>, call: &ExprMethodCall) -> bool {
    cx.env.mentions(&call.receiver) || cx.holds(&call.receiver).local
}
