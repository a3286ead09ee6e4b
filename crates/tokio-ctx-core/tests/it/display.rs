//! What is printed: lineage and causes, and never a value that did not opt in.

use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{CancellationToken, Cancelled, Context, Reason, key, owner};

use crate::support::HOUR;

key! {
    TraceId: &'static str, print;
    Secret: &'static str;
    Hits: u32, print;
}

fn text(ctx: &Context) -> String {
    format!("{ctx:?}").replace(file!(), "here")
}

fn error(ctx: &Context) -> String {
    ctx.err()
        .expect("it ended")
        .to_string()
        .replace(file!(), "here")
}

#[test]
fn background_and_todo_are_told_apart() {
    assert_eq!(text(&Context::background()), "background");
    let line = line!() + 1;
    let todo = Context::todo();
    assert!(
        text(&todo).starts_with(&format!("todo(here:{line}")),
        "{todo:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_context_prints_where_it_comes_from_on_one_line() {
    let line = line!() + 2;
    let ctx = Context::background()
        .with_cancel()
        .map(|ctx| ctx.with_timeout(Duration::from_millis(240)))
        .map(|ctx| ctx.with_name("checkout"))
        .map(|ctx| {
            ctx.with_value::<TraceId>("4bf92f")
                .with_value::<Secret>("hunter2")
        });
    assert_eq!(
        text(&ctx),
        format!(
            "background > cancel(here:{line}) > deadline(in 240ms, here:{}) > \
             named(\"checkout\") > value(TraceId=4bf92f) > value(Secret)",
            line + 1
        )
    );
    advance(Duration::from_secs(1)).await;
    assert!(text(&ctx).contains("deadline(760ms ago, "), "{ctx:?}");
}

#[test]
fn every_kind_of_lifetime_prints_its_own_word() {
    let line = line!() + 1;
    let foreign = Context::from_token(&CancellationToken::new());
    assert_eq!(text(&foreign), format!("token(here:{line})"));
    let guard = foreign.with_cancel();
    assert_eq!(
        text(&guard),
        format!("token(here:{line}) > cancel(here:{})", line + 2)
    );

    let other = Context::background().with_cancel();
    let line = line!() + 1;
    let merged = guard.merge(&other);
    assert!(
        text(&merged).ends_with(&format!(" > merge(here:{line}, with here:{})", line - 2)),
        "{merged:?}"
    );

    let scope: std::sync::Arc<dyn std::any::Any + Send + Sync> = std::sync::Arc::new(());
    let place = std::panic::Location::caller();
    let line = place.line();
    let owned = owner::attach(&other, std::sync::Arc::downgrade(&scope), place);
    assert!(
        text(owner::context(&owned)).ends_with(&format!(" > scope(here:{line})")),
        "{owned:?}"
    );
}

#[test]
fn guards_handles_and_registrations_print_what_they_are_for() {
    let guard = Context::background().with_cancel();
    let lineage = text(&guard);
    assert_eq!(
        format!("{guard:?}").replace(file!(), "here"),
        format!("CancelGuard({lineage})")
    );
    let handle = guard.handle();
    assert_eq!(
        format!("{handle:?}").replace(file!(), "here"),
        format!("CancelHandle({lineage})")
    );
    let registration = guard.on_cancel(|_| ());
    assert_eq!(format!("{registration:?}"), "OnCancel(waiting)");
    let idle = Context::background().on_cancel(|_| ());
    assert_eq!(format!("{idle:?}"), "OnCancel(waiting)");
    guard.cancel();
    assert_eq!(format!("{:?}", guard.on_cancel(|_| ())), "OnCancel(over)");
    assert_eq!(format!("{:?}", guard.done()), "Done { .. }");
    assert_eq!(format!("{:?}", guard.done_owned()), "DoneOwned { .. }");
    assert_eq!(format!("{:?}", guard.run(async {})), "Run { .. }");
}

#[test]
fn a_value_is_printed_only_if_its_key_says_so() {
    let ctx = Context::background()
        .with_value::<Secret>("hunter2")
        .with_value::<Hits>(3)
        .with_value::<TraceId>("4bf92f");
    assert_eq!(
        text(&ctx),
        "background > value(Secret) > value(Hits=3) > value(TraceId=4bf92f)"
    );
}

#[test]
fn hidden_and_masked_values_are_not_printed() {
    let ctx = Context::background()
        .with_value::<Hits>(3)
        .with_value::<TraceId>("a");
    assert_eq!(
        text(&ctx.with_value::<Hits>(4)),
        "background > value(TraceId=a) > value(Hits=4)"
    );
    assert_eq!(
        text(&ctx.without_value::<TraceId>()),
        "background > value(Hits=3)"
    );
}

#[test]
fn a_secret_is_printed_by_nothing() {
    let guard = Context::background()
        .with_value::<Secret>("hunter2")
        .with_name("login")
        .with_timeout(HOUR)
        .with_cancel();
    let merged = guard.merge(&Context::background().with_cancel());
    let registration = guard.on_cancel(|_| ());
    let mut printed = vec![
        format!("{guard:?} {guard:#?}"),
        format!("{merged:?} {:?}", guard.handle()),
        format!("{:?} {:?}", guard.done(), guard.done_owned()),
        format!("{:?} {registration:?}", guard.run(async {})),
        format!("{:?}", guard.without_cancel()),
    ];
    guard.cancel_with("no luck");
    let cancelled = guard.err().expect("it ended");
    printed.push(format!("{cancelled} {cancelled:?} {cancelled:#?}"));
    printed.push(format!("{guard:?}"));
    for text in printed {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains('\u{0}'), "{text}");
    }
}

#[test]
fn a_long_lineage_prints_its_nearest_steps() {
    let mut ctx = Context::background().with_name("root");
    for _ in 0..100 {
        ctx = ctx.with_cancel().disarm();
    }
    let text = text(&ctx.with_name("leaf"));
    assert!(text.starts_with("background > … > cancel("), "{text}");
    assert!(text.ends_with(" > named(\"leaf\")"), "{text}");
    assert!(text.len() < 2000, "{}", text.len());
}

#[test]
fn a_cancel_prints_what_why_and_where() {
    let ctx = Context::background().with_cancel();
    let line = line!() + 1;
    ctx.cancel();
    let text = error(&ctx);
    assert!(
        text.starts_with(&format!("cancelled (at here:{line}:")),
        "{text}"
    );

    let ctx = Context::background().with_name("checkout").with_cancel();
    let line = line!() + 1;
    ctx.cancel_with("quota used up");
    let text = error(&ctx);
    let start = format!("in context \"checkout\": cancelled: quota used up (at here:{line}:");
    assert!(text.starts_with(&start), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_prints_its_length_its_cause_and_the_line_that_set_it() {
    let after = Duration::from_millis(250);
    let line = line!() + 1;
    let ctx = Context::background().with_timeout_cause(after, "ledger is slow");
    ctx.done().await;
    let text = error(&ctx);
    let start = format!("deadline of 250ms exceeded: ledger is slow (set at here:{line}:");
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn every_reason_prints_a_line_of_its_own() {
    let place = std::panic::Location::caller();
    let reasons = [
        Reason::Cancelled,
        Reason::GuardDropped,
        Reason::Deadline,
        Reason::Token,
        Reason::BudgetExhausted,
        Reason::ScopeDropped,
        Reason::ScopeFinished,
        Reason::TaskFailed,
        Reason::TaskPanicked,
        Reason::TaskLost,
        Reason::TaskAborted,
        Reason::LimitReached,
        Reason::NeverReady,
        Reason::Signal,
        Reason::Shutdown,
        Reason::CallerGone,
        Reason::RequestFinished,
    ];
    let mut lines: Vec<String> = reasons
        .iter()
        .map(|reason| owner::cancelled(*reason, place, None).to_string())
        .collect();
    for line in &lines {
        assert!(line.ends_with(&format!("{place})")), "{line}");
        assert!(!line.contains('\n'), "{line}");
        assert!(
            line.starts_with(|first: char| first.is_lowercase()),
            "{line}"
        );
    }
    let count = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), count);
}

#[test]
fn debug_of_an_error_lists_its_facts() {
    let ctx = Context::background().with_name("checkout").with_cancel();
    let line = line!() + 1;
    ctx.cancel_with("quota");
    let cancelled: Cancelled = ctx.err().expect("it ended");
    let text = format!("{cancelled:?}").replace(file!(), "here");
    let start = format!(
        "Cancelled {{ reason: Cancelled, name: \"checkout\", cause: quota, location: here:{line}:"
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn debug_of_a_context_says_that_it_ended_and_why_and_changes_nothing() {
    let guard = Context::background().with_cancel();
    let child = guard.with_cancel();
    assert!(!text(&child).contains('['), "{child:?}");
    guard.cancel_with("quota");
    let told = text(&child);
    assert!(told.contains(" [cancelled: quota (at here:"), "{told}");
    assert!(text(&guard).ends_with(")]"), "{guard:?}");

    let token = tokio_ctx_core::CancellationToken::new();
    let foreign = Context::from_token(&token);
    token.cancel();
    assert!(text(&foreign).ends_with(" [ended]"), "{foreign:?}");
    assert_eq!(foreign.err().expect("it ended").reason(), Reason::Token);
    let told = text(&foreign);
    assert!(told.contains(" [cancelled by a foreign token"), "{told}");
}
