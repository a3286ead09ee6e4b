//! Mistakes that no compiler sees, and what the guide quotes of them.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::{Router, routing::get};
use tokio_ctx::Context;
use tower_service::Service as _;

const PAGE: &str = include_str!("../../../../docs/guide/17-what-rustc-says.md");
const HANGS: &str = include_str!("../../../../docs/guide/15-it-hangs.md");

#[tokio::test]
async fn a_handler_without_its_layer_answers_what_the_guide_quotes() {
    let mut app: Router = Router::new().route("/", get(async |_: Context| ()));
    let response = app
        .call(Request::new(Body::empty()))
        .await
        .expect("it answers");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = to_bytes(response.into_body(), 1_000)
        .await
        .expect("it is short");
    let text = std::str::from_utf8(&text).expect("it is text");
    assert!(text.contains("ContextLayer"), "{text}");
    assert!(
        PAGE.contains(&format!("answers 500 with \"{text}\"")),
        "{text}"
    );
}

#[test]
fn the_lines_that_the_guide_finds_are_those_of_the_stuck_demo() {
    for (file, text, line, quote) in [
        (
            "service.rs",
            include_str!("../../src/service.rs"),
            "s.task().name(\"audit log\").spawn(async |_| {",
            "spawned at crates/examples/src/",
        ),
        (
            "requests.rs",
            include_str!("../../src/requests.rs"),
            "ContextLayer::new(server)",
            "went away (at crates/examples/src/",
        ),
    ] {
        let lines: Vec<_> = text.lines().collect();
        let found = lines.iter().position(|its| its.trim() == line);
        let number = found.expect("the line is there") + 1;
        let quote = format!("{quote}{file}:{number}:");
        assert!(HANGS.contains(&quote), "{quote}");
        let says = format!("`{file}:{number}` says:");
        assert!(file != "service.rs" || HANGS.contains(&says), "{says}");
    }
}
