//! Values that go on without their lifetime.

use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{Context, Reason, key};

use crate::support::{Count, HOUR, OnDrop, assert_ended, assert_live};

key! {
    TraceId: u32;
    Transaction: OnDrop, request_only;
    Hidden: u32, request_only;
}

#[test]
fn a_detached_context_has_the_values_and_never_ends() {
    let request = Context::background()
        .with_value::<TraceId>(7)
        .with_timeout(HOUR)
        .with_cancel();
    let detached = request.without_cancel();
    assert_live(&detached);
    assert_eq!(detached.deadline(), None);
    assert!(!detached.can_be_cancelled());
    assert_eq!(detached.value::<TraceId>(), Some(&7));
}

#[test]
fn detaching_from_a_root_gives_a_root() {
    let detached = Context::background().without_cancel();
    assert_live(&detached);
    assert_eq!(format!("{detached:?}"), "background");
}

#[test]
fn a_detached_context_outlives_a_later_cancel_with_a_cause() {
    let request = Context::background().with_cancel();
    let detached = request.without_cancel();
    request.cancel_with("gone");
    assert_live(&detached);
    assert_live(&request.without_cancel());
}

#[tokio::test(start_paused = true)]
async fn a_context_that_timed_out_can_be_detached() {
    let request = Context::background().with_timeout_cause(Duration::from_secs(1), "slow");
    advance(HOUR).await;
    assert_ended(&request, Reason::Deadline);
    assert_live(&request.without_cancel());
}

#[tokio::test(start_paused = true)]
async fn a_detached_context_may_get_a_later_deadline() {
    let request = Context::background().with_timeout(Duration::from_secs(1));
    let audit = request
        .without_cancel()
        .with_timeout(Duration::from_secs(5));
    assert_eq!(audit.remaining(), Some(Duration::from_secs(5)));
    advance(Duration::from_secs(2)).await;
    assert!(request.is_done());
    assert_live(&audit);
}

#[test]
fn detaching_onto_a_server_ends_with_the_server_and_not_with_the_request() {
    let server = Context::background().with_timeout(HOUR).with_cancel();
    let request = server
        .with_value::<TraceId>(7)
        .with_timeout(Duration::from_secs(60))
        .with_cancel();
    let audit = request.detach_onto(&server);
    assert_eq!(audit.deadline(), server.deadline());
    assert_eq!(audit.value::<TraceId>(), Some(&7));
    request.cancel();
    assert_live(&audit);
    server.cancel();
    assert_ended(&audit, Reason::Cancelled);
}

#[test]
fn detaching_onto_a_context_leaves_its_values() {
    let server = Context::background().with_value::<TraceId>(1).with_cancel();
    let request = Context::background();
    assert_eq!(request.detach_onto(&server).value::<TraceId>(), None);
}

#[test]
fn a_value_of_the_request_alone_is_left_behind_and_let_go() {
    let server = Context::background().with_cancel();
    let count = Count::default();
    let request = server
        .with_value::<TraceId>(1)
        .with_value::<Transaction>(count.on_drop())
        .with_value::<TraceId>(2);
    assert!(request.value::<Transaction>().is_some());
    for detached in [request.without_cancel(), request.detach_onto(&server)] {
        assert!(detached.value::<Transaction>().is_none());
        assert_eq!(detached.value::<TraceId>(), Some(&2));
    }
    let detached = request.without_cancel();
    drop(request);
    assert_eq!(
        count.get(),
        1,
        "a detached context keeps no transaction open"
    );
    assert_eq!(detached.value::<TraceId>(), Some(&2));
}

#[test]
fn merging_and_deriving_keep_the_values_of_the_request() {
    let request = Context::background().with_value::<Hidden>(3);
    assert_eq!(request.with_cancel().value::<Hidden>(), Some(&3));
    assert_eq!(
        request
            .merge(&Context::background().with_cancel())
            .value::<Hidden>(),
        Some(&3)
    );
}

#[test]
fn a_masked_value_stays_masked_when_detached() {
    let request = Context::background()
        .with_value::<TraceId>(1)
        .with_value::<Hidden>(3)
        .without_value::<TraceId>();
    assert_eq!(request.without_cancel().value::<TraceId>(), None);
}

#[test]
fn detaching_twice_changes_nothing_more() {
    let request = Context::background()
        .with_value::<Hidden>(3)
        .with_value::<TraceId>(1)
        .with_cancel();
    let twice = request
        .without_cancel()
        .with_value::<Hidden>(4)
        .without_cancel();
    assert_eq!(twice.value::<TraceId>(), Some(&1));
    assert_eq!(twice.value::<Hidden>(), None);
}
