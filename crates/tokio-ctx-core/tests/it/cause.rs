//! Why a context ended: the first cause, and for ever.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{CancelGuard, Context, Reason};

use crate::support::{HOUR, assert_ended, assert_live, cause_of, reason_of};

#[test]
fn a_plain_cancel_has_no_cause_but_itself() {
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    assert_ended(&ctx, Reason::Cancelled);
    assert_eq!(cause_of(&ctx), None);
}

#[test]
fn a_cause_is_reported_as_source_and_by_its_type() {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with(io::Error::new(io::ErrorKind::StorageFull, "no room"));
    let cancelled = ctx.err().expect("it ended");
    assert_eq!(cancelled.reason(), Reason::Cancelled);
    let cause = cancelled
        .cause::<io::Error>()
        .expect("an io::Error was given");
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    assert!(cancelled.cause::<std::fmt::Error>().is_none());
    let source = cancelled.source().expect("there is a cause");
    assert!(source.downcast_ref::<io::Error>().is_some());
}

#[test]
fn a_cause_may_be_a_text_or_a_boxed_error() {
    let texts: [fn(&CancelGuard) -> bool; 3] = [
        |ctx| ctx.cancel_with("text"),
        |ctx| ctx.cancel_with(String::from("text")),
        |ctx| ctx.cancel_with(Box::<dyn Error + Send + Sync>::from("text")),
    ];
    for cancel in texts {
        let ctx = Context::background().with_cancel();
        assert!(cancel(&ctx));
        assert_eq!(cause_of(&ctx).as_deref(), Some("text"));
    }
}

/// Who is cancelled with what, in order; then the causes of the parent and of the child.
#[test]
fn of_a_parent_and_its_child_each_keeps_the_first_cause_that_reached_it() {
    type Row<'a> = (&'a [(char, &'a str)], Option<&'a str>, Option<&'a str>);
    let rows: &[Row<'_>] = &[
        (
            &[('p', "parent"), ('c', "child")],
            Some("parent"),
            Some("parent"),
        ),
        (
            &[('c', "child"), ('p', "parent")],
            Some("parent"),
            Some("child"),
        ),
        (
            &[('p', "parent"), ('c', "")],
            Some("parent"),
            Some("parent"),
        ),
        (&[('c', ""), ('p', "parent")], Some("parent"), None),
        (&[('p', ""), ('c', "child")], None, None),
        (&[('c', "child"), ('p', "")], None, Some("child")),
    ];
    for look_between in [false, true] {
        for (steps, of_parent, of_child) in rows {
            let parent = Context::background().with_cancel();
            let child = parent.with_cancel();
            for (who, cause) in *steps {
                let ctx = if *who == 'p' { &parent } else { &child };
                match *cause {
                    "" => ctx.cancel(),
                    cause => ctx.cancel_with(cause),
                };
                if look_between {
                    let _ = (child.err(), parent.err());
                }
            }
            assert_eq!(cause_of(&parent).as_deref(), *of_parent, "{steps:?}");
            assert_eq!(cause_of(&child).as_deref(), *of_child, "{steps:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_deadline_is_reported_when_it_fires() {
    let ctx = Context::background().with_timeout_cause(Duration::from_millis(1), "too slow");
    assert_live(&ctx);
    let cancelled = ctx.done().await;
    assert_eq!(cancelled.reason(), Reason::Deadline);
    assert!(cancelled.is_timeout());
    assert_eq!(cause_of(&ctx).as_deref(), Some("too slow"));
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_deadline_is_not_used_by_an_earlier_cancel() {
    let guard = Context::background().with_cancel();
    let ctx = guard.with_timeout_cause(Duration::from_secs(1), "too slow");
    guard.cancel();
    assert_ended(&ctx, Reason::Cancelled);
    assert_eq!(cause_of(&ctx), None);
    advance(HOUR).await;
    assert_ended(&ctx, Reason::Cancelled);
    assert_eq!(cause_of(&ctx), None);
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_deadline_that_changes_nothing_is_never_reported() {
    let parent = Context::background().with_timeout_cause(Duration::from_secs(1), "the parent's");
    let later = parent.with_timeout_cause(Duration::from_secs(2), "later");
    let same = parent.with_deadline_cause(parent.deadline().expect("set above"), "the same");
    for ctx in [&later, &same] {
        assert_eq!(ctx.deadline(), parent.deadline());
    }
    advance(HOUR).await;
    for ctx in [&later, &same] {
        assert_eq!(cause_of(ctx).as_deref(), Some("the parent's"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_cause_belongs_to_the_deadline_that_fired() {
    let parent = Context::background().with_timeout_cause(Duration::from_secs(2), "whole");
    let child = parent.with_timeout_cause(Duration::from_secs(1), "part");
    advance(Duration::from_secs(1)).await;
    assert_eq!(cause_of(&child).as_deref(), Some("part"));
    assert_live(&parent);
    advance(Duration::from_secs(1)).await;
    assert_eq!(cause_of(&parent).as_deref(), Some("whole"));
    assert_eq!(cause_of(&child).as_deref(), Some("part"));
}

#[test]
fn the_location_is_the_line_that_cancelled() {
    let ctx = Context::background().with_cancel();
    let line = line!() + 1;
    ctx.cancel_with("here");
    let at = ctx.err().expect("it ended").location();
    assert_eq!((at.file(), at.line()), (file!(), line));

    let ctx = Context::background().with_cancel();
    let line = line!() + 1;
    ctx.handle().cancel();
    assert_eq!(ctx.err().expect("it ended").location().line(), line);

    let ctx = Context::background().with_cancel();
    let line = line!() + 1;
    ctx.handle().cancel_with("by the handle");
    assert_eq!(ctx.err().expect("it ended").location().line(), line);
}

#[test]
fn a_descendant_reports_the_line_that_cancelled_its_ancestor() {
    let parent = Context::background().with_cancel();
    let leaf = parent
        .with_cancel()
        .disarm()
        .with_timeout(HOUR)
        .with_name("leaf");
    let line = line!() + 1;
    parent.cancel();
    assert_eq!(leaf.err().expect("it ended").location().line(), line);
}

#[test]
fn the_name_of_the_nearest_named_ancestor_is_reported() {
    let outer = Context::background().with_name("server");
    let inner = outer.with_name(String::from("request 7")).with_cancel();
    inner.cancel();
    assert_eq!(inner.err().expect("it ended").name(), Some("request 7"));

    let unnamed = outer.with_cancel();
    unnamed.cancel_with("why not");
    assert_eq!(unnamed.err().expect("it ended").name(), Some("server"));

    let nameless = Context::background().with_cancel();
    nameless.cancel();
    assert_eq!(nameless.err().expect("it ended").name(), None);
}

#[test]
fn the_name_reported_is_that_of_the_context_that_ended_not_of_who_asks() {
    let parent = Context::background().with_name("server").with_cancel();
    let child = parent.with_name("request 7");
    parent.cancel();
    assert_eq!(child.err().expect("it ended").name(), Some("server"));
}

#[test]
fn two_readers_get_the_very_same_cause() {
    let parent = Context::background().with_cancel();
    let child = parent.with_cancel();
    parent.cancel_with(io::Error::other("one"));
    let (above, below) = (parent.err().expect("ended"), child.err().expect("ended"));
    let address = |cancelled: &tokio_ctx_core::Cancelled| {
        let cause: *const io::Error = cancelled.cause::<io::Error>().expect("given");
        cause
    };
    assert_eq!(address(&above), address(&below));
    assert_eq!(address(&above), address(&above.clone()));
}

#[test]
fn what_was_reported_once_is_reported_for_ever() {
    let parent = Context::background().with_cancel();
    let child = parent.with_cancel();
    let leaf = child.with_cancel();
    child.cancel_with("child");
    assert_eq!(cause_of(&leaf).as_deref(), Some("child"));
    parent.cancel_with("parent");
    leaf.cancel_with("leaf");
    drop(leaf.handle());
    for _ in 0..3 {
        assert_eq!(cause_of(&leaf).as_deref(), Some("child"));
        assert_eq!(cause_of(&child).as_deref(), Some("child"));
        assert_eq!(cause_of(&parent).as_deref(), Some("parent"));
        assert_eq!(reason_of(&leaf), Reason::Cancelled);
    }
}

#[test]
fn a_reason_can_be_given_in_the_place_of_a_cause() {
    for (given, by_handle) in [(Reason::Shutdown, true), (Reason::CallerGone, false)] {
        let ctx = Context::background().with_name("api").with_cancel();
        let line = line!() + 2;
        let won = if by_handle {
            ctx.handle().cancel_with(given)
        } else {
            ctx.cancel_with(given)
        };
        assert!(won);
        let cancelled = ctx.err().expect("it ended");
        assert_eq!(cancelled.reason(), given);
        assert!(
            std::error::Error::source(&cancelled).is_none(),
            "it is no cause"
        );
        let place = cancelled.location();
        assert!((line..line + 3).contains(&place.line()), "{place}");
        assert_eq!(cancelled.name(), Some("api"));
    }
}
