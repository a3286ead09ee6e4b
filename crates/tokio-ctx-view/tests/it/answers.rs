//! Which request gets which answer, and which get none.

use tokio_ctx::Context;
use tokio_ctx::view::View;

use crate::stage::{TURN, ask, get, mount};

#[tokio::test]
async fn curl_gets_text_a_browser_a_page_and_a_program_json() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let text = get(at, "").await;
    assert_eq!(text.status, 200);
    assert!(
        text.head.contains("content-type: text/plain"),
        "{}",
        text.head
    );
    assert!(text.body.contains("SCOPES AND TASKS (0)"), "{}", text.body);

    let accept = "host: localhost\r\naccept: text/html,*/*\r\n";
    let page = ask(at, "GET", "", accept).await;
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);

    let json = get(at, "?json").await;
    let report: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(report["format_version"], 1);
    for part in ["?css", "?js", "?icon"] {
        assert_eq!(get(at, part).await.status, 200, "{part}");
    }
}

#[tokio::test]
async fn every_answer_forbids_what_is_not_its_own() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    for query in ["", "?json", "?js", "?nonsense"] {
        let head = get(at, query).await.head;
        for line in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "x-frame-options: deny",
        ] {
            assert!(head.contains(line), "{query}: {head}");
        }
    }
}

#[tokio::test]
async fn a_name_of_another_site_that_resolves_to_this_machine_is_refused() {
    let _turn = TURN.lock().await;
    let view = View::new(&Context::background()).allow_host("debug.internal");
    let at = mount(view).await;
    for (host, status) in [
        ("localhost:6060", 200),
        ("127.0.0.1", 200),
        ("[::1]:6060", 200),
        ("debug.internal", 200),
        ("evil.example", 403),
        ("localhost@evil.example", 403),
        ("0.0.0.0:6060", 403),
        ("[::ffff:10.0.0.1]", 403),
        ("localhost.evil.example", 403),
        ("", 403),
    ] {
        let answer = ask(at, "GET", "?json", &format!("host: {host}\r\n")).await;
        assert_eq!(answer.status, status, "{host}");
    }
    assert_eq!(ask(at, "GET", "?json", "").await.status, 400);
}

#[tokio::test]
async fn the_view_is_read_only() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let answer = ask(at, "POST", "", "host: localhost\r\ncontent-length: 0\r\n").await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    let head = ask(at, "HEAD", "", "host: localhost\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn an_unknown_query_is_answered_with_the_known_ones() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let answer = get(at, "?goroutines").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("?watch"), "{}", answer.body);
}
