//! Answers that go on.

use tokio_ctx::Context;
use tokio_ctx::view::View;

use crate::stage::{Open, TURN, mount};

#[tokio::test]
async fn watch_goes_on_until_the_view_s_context_ends() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    let at = mount(View::new(&server)).await;
    let mut watch = Open::get(at, "?watch").await;
    watch.until("SCOPES AND TASKS", 2).await;
    server.cancel_with("the server stops");
    watch.until("\r\n0\r\n\r\n", 1).await;
}

#[tokio::test]
async fn events_carry_one_json_report_each() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    let at = mount(View::new(&server)).await;
    let mut events = Open::get(at, "?events").await;
    events.until("\n\n", 2).await;
    assert!(events.text.contains("content-type: text/event-stream"));
    let event = events.text.split("data: ").nth(1).unwrap();
    let json = event.lines().next().unwrap();
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(report["num_tasks"], 0);
}

#[tokio::test]
async fn a_view_whose_context_has_ended_streams_nothing() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    server.cancel();
    let at = mount(View::new(&server)).await;
    let mut watch = Open::get(at, "?watch").await;
    watch.until("\r\n0\r\n\r\n", 1).await;
    assert!(!watch.text.contains("SCOPES"), "{}", watch.text);
}
