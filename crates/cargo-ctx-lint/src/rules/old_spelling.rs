//! Names that the crates no longer have.

use std::ops::Range;

use syn::{ExprMethodCall, ItemUse, UseTree};

use crate::chain::peel;
use crate::cx::{Cx, range_of, span_of};
use crate::env::Kind;
use crate::finding::{Edit, Fix};
use crate::rule::Rule;

/// A name from before the first release.
pub(crate) const RULE: Rule = Rule {
    id: "old-spelling",
    summary: "a name from before the first release, which is another one now",
    explain: "\
    guard.keep()                      guard.disarm()
    ctx.on_cancel(f).detach()         ctx.on_cancel(f).disarm()
    fut.with_context(&ctx)            ctx.run(fut)
    stream.until_done(&ctx)           stream.take_until(ctx.done_owned())
    s.spawn_cancellable(fut)          s.task().spawn_cancellable(fut)
    s.spawn_local(f)                  s.task().spawn_local(f)
    s.try_spawn(f)                    s.task().try_slot()?.spawn(f)
    s.spawn_background(f)             s.task().background().spawn(f)
    s.spawn_on(&other, f)             s.task().under(&other).spawn(f)
    s.spawn_when_free(f).await        s.slot().await?.spawn(f)
    RequestContext(ctx)               ctx: Context
    TaskBuilder                       TaskOptions
    task().span(SpanPolicy::None)     task().span(Span::none())
    SendError                         the two errors of send(..).await??

`--fix` writes the new name where nothing else has to change.
",
};

/// Types and traits that are imported by name: the old one, and what stands for it.
const IMPORTS: [(&str, &str); 6] = [
    ("ContextExt", "`ctx.run(fut)`"),
    ("StreamContextExt", "`stream.take_until(ctx.done_owned())`"),
    ("RequestContext", "`Context`, which is an extractor itself"),
    ("TaskBuilder", "`TaskOptions`"),
    ("SpanPolicy", "a `Span` of tracing"),
    ("SendError", "`Cancelled`, and inside it `reqwest::Error`"),
];

/// Called for every `use`.
pub(crate) fn check_use(cx: &mut Cx<'_>, item: &ItemUse) {
    let mut open = vec![(&item.tree, false)];
    while let Some((tree, ours)) = open.pop() {
        match tree {
            UseTree::Path(path) => {
                let first = path.ident.to_string();
                let ours = ours || cx.tables.is_ours(&cx.module, &first);
                open.push((&path.tree, ours));
            }
            UseTree::Group(group) => open.extend(group.items.iter().map(|tree| (tree, ours))),
            UseTree::Name(name) if ours => import(cx, &name.ident),
            UseTree::Rename(name) if ours => import(cx, &name.ident),
            _ => {}
        }
    }
}

fn import(cx: &mut Cx<'_>, name: &syn::Ident) {
    let known = IMPORTS.iter().find(|(old, _)| name == old);
    if let Some((old, new)) = known {
        report(cx, range_of(&[name.span()]), old, (*new).to_owned(), None);
    }
}

/// Called for every method call.
pub(crate) fn check(cx: &mut Cx<'_>, call: &ExprMethodCall) {
    let old = call.method.to_string();
    let method = range_of(&[call.method.span()]);
    let instead = |replacement: &str| {
        Some(vec![Edit {
            range: method.clone(),
            replacement: replacement.to_owned(),
        }])
    };
    let holds = cx.holds(&call.receiver);
    let kind = holds.kind;
    // The settings of a task have the same verbs.
    let is_scope = kind == Some(Kind::Scope) && !holds.settings;
    let (new, fix) = match old.as_str() {
        "keep" if kind == Some(Kind::Guard) => ("`disarm`".to_owned(), instead("disarm")),
        "detach" if registers(cx, call) => ("`disarm`".to_owned(), instead("disarm")),
        "spawn_cancellable" | "spawn_local" if is_scope => {
            let new = format!("task().{old}");
            (format!("`{new}`"), instead(&new))
        }
        "spawn_background" if is_scope => {
            let new = "task().background().spawn";
            (format!("`{new}`"), instead(new))
        }
        "spawn_on" if is_scope && call.args.len() == 2 => {
            let other = range_of(&[span_of(&call.args[0])]);
            let text = cx.text.slice(&other);
            let new = format!("task().under({text}).spawn");
            let second = range_of(&[span_of(&call.args[1])]).start;
            let fix = vec![Edit {
                range: method.start..second,
                replacement: format!("{new}("),
            }];
            (format!("`{new}`"), Some(fix))
        }
        "try_spawn" if is_scope => ("`task().try_slot()?.spawn`".to_owned(), None),
        "spawn_when_free" if is_scope => ("`slot().await?.spawn`".to_owned(), None),
        "with_context" | "until_done" => {
            let Some(arg) = call.args.first() else { return };
            if call.args.len() != 1 || !cx.holds(arg).is_context() {
                return;
            }
            let ctx = cx.text.slice(&range_of(&[span_of(peel(arg))])).to_owned();
            let future = cx.text.slice(&range_of(&[span_of(&call.receiver)]));
            if old == "with_context" {
                let new = format!("{ctx}.run({future})");
                let fix = vec![Edit {
                    range: range_of(&[span_of(call)]),
                    replacement: new.clone(),
                }];
                (format!("`{ctx}.run(…)`"), Some(fix))
            } else {
                (format!("`take_until({ctx}.done_owned())`"), None)
            }
        }
        _ => return,
    };
    report(cx, method, &old, new, fix);
}

fn registers(cx: &Cx<'_>, call: &ExprMethodCall) -> bool {
    match peel(&call.receiver) {
        syn::Expr::MethodCall(inner) => {
            inner.method == "on_cancel" && cx.holds(&inner.receiver).is_context()
        }
        _ => false,
    }
}

fn report(cx: &mut Cx<'_>, range: Range<usize>, old: &str, new: String, fix: Option<Fix>) {
    cx.report(
        &RULE,
        range,
        format!("`{old}` is a name that is gone"),
        "from before the first release",
        format!("it is {new} now"),
        fix,
    );
}
